/* SPDX-License-Identifier: ISC */

#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A page, for GET and HEAD. */
struct http_page {
	const char *path;
	/*
	 * Write the page as it is now.
	 *
	 * accept	the request's Accept field, or "".
	 * ret_type	its Content-Type, a string that stays valid; it is
	 *		HTTP_PLAIN if this is not set.
	 *
	 * Returns the status, such as 200.
	 */
	unsigned (*write)(void *context, const char *accept, FILE *out,
	    const char **ret_type);
};

/* The pages, and when to stop serving them. */
struct http_site {
	const struct http_page *pages; /* the last one's path is NULL */
	const char *const *names; /* of this host, NULL at the end */
	/* Whether to exit before accepting the next client, which waits in the
	 * socket for the next process. */
	bool (*check_outdated)(void *context);
	void *context; /* handed to the functions */
};

#define HTTP_PLAIN "text/plain; charset=utf-8"

/*
 * Serve pages until told to stop by SIGTERM or SIGINT, until they are outdated,
 * or after a time without requests. Earlier requests are still answered.
 *
 * listen_fd	stays the caller's, and open: later clients wait in it.
 * idle_ms	that time, or -1: for ever.
 *
 * Returns 0 or a negative errno.
 */
int http_serve(int listen_fd, const struct http_site *site, int64_t idle_ms);

#endif
