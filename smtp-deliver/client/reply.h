/* SPDX-License-Identifier: ISC */

#ifndef CLIENT_REPLY_H
#define CLIENT_REPLY_H

#include <stdint.h>

#include "lib/spool/attempts.h"
#include "lib/stream.h"
#include "smtp-deliver/verdict.h"

/* Octets and lines of a whole reply. RFC 5321 section 4.5.3.1.5 allows 512
 * octets a line; many hosts send more. */
#define REPLY_OCTETS_MAX 65536
#define REPLY_LINES_MAX 1024

/* A remote host's reply (RFC 5321 section 4.2). */
struct remote_reply {
	int code;
	char status[ATTEMPT_STATUS_SIZE]; /* RFC 2034, or made from the code */
	char text[VERDICT_TEXT_SIZE]; /* "550 5.1.1 No such user", cut to fit */
};

/* Takes the text of a line, without its code. */
typedef void reply_line(void *context, const char *text);

/*
 * Read a reply of one or more lines to its end. Long lines and many lines are
 * taken; the text keeps the beginning.
 *
 * on_line	called with context for each line; or NULL.
 *
 * Returns 0, a negative errno of the stream, or -EPROTO if the input is not a
 * reply, or is longer than REPLY_OCTETS_MAX or REPLY_LINES_MAX.
 */
int reply_read(struct stream *stream, int64_t deadline_mono_ms,
    reply_line *on_line, void *context, struct remote_reply *ret_reply);

/*
 * Parse one line of a reply.
 *
 * ret_text	what follows the code and its separator, within line.
 *
 * Returns 1 for the last line of a reply, 0 for one before it, or -EPROTO.
 */
int reply_parse_line(const char *line, int *ret_code, const char **ret_text);

#endif
