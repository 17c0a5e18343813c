/* SPDX-License-Identifier: ISC */

#ifndef CONNECT_H
#define CONNECT_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp-deliver/settings.h"

#define CONNECT_ADDRESSES_MAX 10 /* of a host; no others are tried */
#define CONNECT_REASON_SIZE 192

/* An address of a host: not tried, being tried, or done with. */
struct connect_attempt {
	const struct addrinfo *address;
	bool is_over;
	int fd; /* -1: it is not being tried */
	int64_t deadline_ms;
};

/* What has failed, a bit each. */
enum connect_failure {
	CONNECT_FAILED_HERE = 1, /* this host lacks something */
	CONNECT_FAILED_THERE = 2, /* the other does not answer */
	CONNECT_FAILED_ROUTE = 4, /* this host knows no way to it */
};

/* The addresses of one host, in the order in which they are tried. */
struct connect {
	const struct deliver_settings *settings;
	size_t count;
	struct connect_attempt attempts[CONNECT_ADDRESSES_MAX];
	int64_t next_ms; /* not before then is the next one tried */
	unsigned failures; /* of enum connect_failure, of any address so far */
};

/* Told of an address that is passed over, and why. */
typedef void connect_passed_over(void *context, const struct addrinfo *address,
    const char *reason, bool is_over);

/*
 * Get ready to connect to a host.
 *
 * addresses	the host's, the one to try first first; used as long as
 *		ret_connect is. They are interleaved by family (RFC 8305 section
 *		4); SMTP_IP_FAMILY may leave none.
 */
void connect_begin(const struct addrinfo *addresses,
    const struct deliver_settings *settings, struct connect *ret_connect);

/*
 * Connect to one of the addresses that are left, the first that answers: each
 * is tried a quarter of a second after the one before, or when that has failed
 * (RFC 8305 section 5).
 *
 * passed_over	called with context for each address that could not be
 *		connected to, is_over, and for each that another one was faster
 *		than: it is tried again if this is called again.
 * ret_address	the address that answered.
 *
 * Returns a socket that does not block and is the caller's, or -ENOENT: no
 * address is left.
 */
int connect_next(struct connect *connect, connect_passed_over *passed_over,
    void *context, const struct addrinfo **ret_address);

#endif
