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
	int fd; /* if under way or answered; or -1 */
	int64_t deadline_mono_ms;
	char reason[CONNECT_REASON_SIZE]; /* if failed or slower */
};

/* Causes of failure: bits. */
enum connect_failure {
	CONNECT_FAILED_HERE = 1, /* this host lacks a resource */
	CONNECT_FAILED_THERE = 2, /* the remote host does not answer */
	CONNECT_FAILED_ROUTE = 4, /* this host has no route to it */
};

/* The addresses of one host, in the order in which they are tried. */
struct connect {
	const struct deliver_settings *settings;
	size_t count;
	struct connect_attempt attempts[CONNECT_ADDRESSES_MAX];
	int64_t next_mono_ms; /* the next address is not tried before */
	unsigned failures; /* enum connect_failure, of all addresses so far */
};

/* What became of an address. */
enum connect_event_kind {
	CONNECT_EVENT_OPEN, /* connected; the caller owns the socket, which is
			     * non-blocking */
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
 * Prepare to connect to a host.
 *
 * addresses	the host's, in order of preference; used as long as ret_connect
 *		is. They are interleaved by family (RFC 8305 section 4);
 *		SMTP_IP_FAMILY may exclude them all.
 */
void connect_begin(const struct addrinfo *addresses,
    const struct deliver_settings *settings, struct connect *ret_connect);

/*
 * Wait for the next event. An address is tried a quarter of a second after the
 * one before it, or once that one has failed; the first address to answer is
 * used (RFC 8305 section 5). CONNECT_EVENT_OPEN comes after the events of the
 * addresses that failed or were slower.
 *
 * Returns whether there is an event: false if no address is left.
 */
bool connect_next(struct connect *connect, struct connect_event *ret_event);

#endif
