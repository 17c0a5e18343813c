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

/*
 *	WAITING -> UNDER_WAY -> ANSWERED -> OVER
 *	WAITING or UNDER_WAY -> FAILED -> OVER
 *	UNDER_WAY -> SLOWER -> WAITING
 *
 * ANSWERED, FAILED and SLOWER last until connect_next() has returned them.
 */
enum connect_state {
	CONNECT_WAITING,
	CONNECT_UNDER_WAY,
	CONNECT_ANSWERED,
	CONNECT_FAILED,
	CONNECT_SLOWER, /* than another address that has answered */
	CONNECT_OVER,
};

/* An address of a host. */
struct connect_attempt {
	const struct addrinfo *address;
	enum connect_state state;
	int fd; /* under way, or answered */
	int64_t deadline_mono_ms;
	char reason[CONNECT_REASON_SIZE]; /* failed, or slower */
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
	int64_t next_mono_ms; /* the next one is not tried before then */
	unsigned failures; /* of enum connect_failure, of any address so far */
};

/* What became of an address. */
enum connect_event_kind {
	CONNECT_EVENT_OPEN, /* connected; the caller owns the socket, which does
			     * not block */
	CONNECT_EVENT_FAILED,
	CONNECT_EVENT_SLOWER, /* tried again if the caller goes on */
};

struct connect_event {
	enum connect_event_kind kind;
	const struct addrinfo *address;
	int fd; /* OPEN */
	const char *reason; /* FAILED, SLOWER; valid until the next call */
};

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
 * Wait for what becomes of an address that is left. Each is tried a quarter of
 * a second after the one before, or when that has failed; the first that
 * answers is used (RFC 8305 section 5). CONNECT_EVENT_OPEN comes after the
 * events of the addresses that failed or were slower.
 *
 * Returns whether there is an event; false: no address is left.
 */
bool connect_next(struct connect *connect, struct connect_event *ret_event);

#endif
