/* SPDX-License-Identifier: ISC */

#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp-session/settings.h"
#include "lib/spool/draft.h"
#include "lib/stream.h"
#include "smtp-session/data.h"
#include "smtp-session/headers.h"
#include "smtp-session/reply.h"
#include "smtp-session/trace.h"

/* What EHLO announces as SIZE (RFC 1870): octets of a message. */
#define MESSAGE_SIZE_MAX 10485760

/* Past this we do not even wait for the end of one that is too large. */
#define MESSAGE_SIZE_ENDLESS (10 * (uint64_t)MESSAGE_SIZE_MAX)

#define MESSAGE_FIELD_SIZE 400

/* The worst that was wrong with a message so far; later ones are worse. */
enum message_fault {
	MESSAGE_FINE,
	MESSAGE_SPOOL_ERROR,
	MESSAGE_LOOPS,
	MESSAGE_TOO_LARGE,
};

/* A message that is being received. */
struct message {
	struct draft *draft;
	struct data data;
	struct headers headers;
	uint64_t size_bytes; /* of the message, as it was received */
	uint64_t taken_bytes; /* from the stream, text or not */
	enum message_fault fault;
	int spool_error; /* of MESSAGE_SPOOL_ERROR: a negative errno */
	char date[MESSAGE_FIELD_SIZE];
	char message_id[MESSAGE_FIELD_SIZE];
};

/*
 * Get ready for a message: open a draft with its envelope and the Received
 * field that trace describes. Both must stay as they are until message_free().
 *
 * Returns 0, or a negative errno of the spool's; then nothing is to be freed.
 */
int message_begin(struct message *message, struct spool *spool,
    const struct envelope *envelope, const struct trace *trace,
    enum bare_newline bare_newline);

/*
 * Receive a message up to its end, whatever is wrong with it. Memory does not
 * grow with it.
 *
 * timeout_sec	for each piece of it (RFC 5321 section 4.5.3.2.5); a client
 *		that stays below MESSAGE_RATE_MIN on the whole runs out too.
 *
 * Returns 0, or a negative errno of the stream's, or -EFBIG for one that does
 * not end.
 */
int message_receive(struct message *message, struct stream *stream,
    int timeout_sec);

/* Octets a second, after the first timeout_sec. */
#define MESSAGE_RATE_MIN 1024

/* Put a received message into the spool, durably, or refuse it; the reply says
 * which. */
struct reply message_commit(struct message *message);
void message_free(struct message *message);

#endif
