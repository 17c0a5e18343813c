/* SPDX-License-Identifier: ISC */

#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/stream.h"

/* A reply (RFC 5321 section 4.2). */
struct reply {
	int code;
	const char *status; /* RFC 3463 enhanced code, or NULL for none */
	const char *text; /* a newline in it begins the next line */
	bool is_last; /* the session ends after it */
	bool is_excused; /* a refusal that is no error of the client */
};

/* A reply; one that ends the session. The text is not copied. */
static inline struct reply
reply_make(int code, const char *status, const char *text)
{
	return (struct reply){ code, status, text, false };
}

static inline struct reply
reply_make_last(int code, const char *status, const char *text)
{
	return (struct reply){ code, status, text, true };
}

/* Replies that more than one place gives. */
extern const struct reply reply_ok;
extern const struct reply reply_timeout;
extern const struct reply reply_local_error;
extern const struct reply reply_no_argument;

/* No reply, of code 0: it was sent already, or the session ends without. */
extern const struct reply reply_sent;
extern const struct reply reply_hang_up;

static inline bool
is_error(const struct reply *reply)
{
	return reply->code >= 400;
}

/* The reply to a failure of the spool: a negative errno. */
struct reply reply_spool_error(int error);

/* Buffer a reply to be sent. Returns 0 or a negative errno. */
int reply_put(struct stream *stream, const struct reply *reply);

/* "250 2.1.0 text" in one line, for the audit trail. */
void reply_format(const struct reply *reply, char *ret_text, size_t size);

#endif
