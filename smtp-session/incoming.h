/* SPDX-License-Identifier: ISC */

#ifndef INCOMING_H
#define INCOMING_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp-session/settings.h"
#include "lib/spool/draft.h"
#include "lib/stream.h"
#include "smtp-session/data.h"
#include "smtp-session/headers.h"
#include "smtp-session/reply.h"
#include "smtp-session/trace.h"

#define INCOMING_FIELD_SIZE 400

/* What is wrong with a message. The last in this list takes precedence. */
enum incoming_fault {
	INCOMING_FINE,
	INCOMING_SPOOL_ERROR,
	INCOMING_LOOPS,
	INCOMING_TOO_LARGE,
};

/* How receiving a message ended. */
enum incoming_end {
	INCOMING_WHOLE, /* at the end of the message */
	INCOMING_TIMEOUT,
	INCOMING_ENDLESS, /* past ten times SMTP_MESSAGE_SIZE */
	INCOMING_CUT_SHORT, /* at the end of the connection */
};

/* A message that is being received. */
struct incoming {
	struct spool *spool;
	struct draft *draft;
	struct data data;
	struct headers headers;
	uint64_t size_max_bytes;
	uint64_t size_bytes; /* of the message, as it was received */
	uint64_t taken_bytes; /* from the stream, text or not */
	enum incoming_fault fault;
	int spool_error; /* of INCOMING_SPOOL_ERROR: a negative errno */
	char from[HEADERS_FROM_SIZE];
	char date[INCOMING_FIELD_SIZE];
	char message_id[INCOMING_FIELD_SIZE];
};

/*
 * Get ready for a message: open a draft with its envelope and the Received
 * field that trace describes. Both must stay as they are until incoming_free().
 *
 * Returns 0, or a negative errno of the spool's; then there is nothing to free.
 */
int incoming_begin(struct incoming *incoming, struct spool *spool,
    const struct envelope *envelope, const struct trace *trace,
    const struct session_settings *settings);

/*
 * Receive a message up to its end, whether or not it will be refused. Memory
 * does not grow with the message.
 *
 * timeout_sec	for each piece of it (RFC 5321 section 4.5.3.2.5); a client
 *		that is slower than INCOMING_RATE_MIN on average times out,
 *		too.
 */
enum incoming_end incoming_receive(struct incoming *incoming,
    struct stream *stream, int timeout_sec);

/* Octets a second, after the first timeout_sec. */
#define INCOMING_RATE_MIN 1024

/* Put a received message into the spool, durably, or refuse it. Returns the
 * reply. */
struct reply incoming_commit(struct incoming *incoming);
void incoming_free(struct incoming *incoming);

#endif
