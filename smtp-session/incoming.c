/* SPDX-License-Identifier: ISC */

/*
 * incoming.c - receive a message into the spool.
 *
 * The octets go from the stream through data.c (end of data, dot stuffing) and
 * headers.c (missing fields) into a draft. A message that is refused is read to
 * its end nevertheless, so that the session can continue.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "smtp-session/incoming.h"

/* RFC 5321 section 6.3 requires at least 100. */
#define RECEIVED_MAX 100

/* A message that is so many times too large is not read to its end. */
#define ENDLESS 10

#define SPACE_STEP_BYTES 1048576

static void
note_fault(struct incoming *incoming, enum incoming_fault fault)
{
	if (fault > incoming->fault)
		incoming->fault = fault;
}

/* An error is kept for the reply. */
static void
note_spool_error(struct incoming *incoming, int error)
{
	incoming->spool_error = error;
	note_fault(incoming, INCOMING_SPOOL_ERROR);
}

/* Takes the output of headers.c. */
static int
write_draft(void *context, const void *data, size_t size_bytes)
{
	struct incoming *incoming = context;
	int r;

	if (incoming->fault != INCOMING_FINE)
		return 0;
	r = draft_write(incoming->draft, data, size_bytes);
	if (r < 0)
		note_spool_error(incoming, r);
	return 0;
}

static int
write_trace(struct incoming *incoming, const struct trace *trace)
{
	char text[TRACE_SIZE];

	return draft_write(incoming->draft, text, trace_render(trace, text));
}

int
incoming_begin(struct incoming *incoming, struct spool *spool,
    const struct envelope *envelope, const struct trace *trace,
    const struct session_settings *settings)
{
	int r;

	if ((r = draft_begin(spool, envelope, &incoming->draft)) < 0)
		return r;
	if ((r = write_trace(incoming, trace)) < 0) {
		draft_free(incoming->draft);
		return r;
	}
	incoming->spool = spool;
	incoming->size_max_bytes = (uint64_t)settings->message_size_bytes;
	incoming->size_bytes = incoming->taken_bytes = 0;
	incoming->fault = INCOMING_FINE;
	incoming->spool_error = 0;
	headers_format_from(envelope->sender, trace->hostname, incoming->from);
	clock_format_date(trace->real_ms, incoming->date);
	(void)snprintf(incoming->message_id, sizeof(incoming->message_id),
	    "<%s@%s>", trace->id, trace->hostname);
	data_start(&incoming->data,
	    settings->bare_newline == BARE_NEWLINE_NORMALIZE);
	headers_start(&incoming->headers, write_draft, incoming, incoming->from,
	    incoming->date, incoming->message_id);
	return 0;
}

/* Clients need not tell the size in MAIL: look at the space now and then. */
static void
check_space(struct incoming *incoming, size_t length)
{
	int r;

	if (incoming->size_bytes / SPACE_STEP_BYTES ==
	    (incoming->size_bytes - length) / SPACE_STEP_BYTES)
		return;
	if ((r = spool_check_space(incoming->spool, 0)) < 0)
		note_spool_error(incoming, r);
}

static void
take_text(struct incoming *incoming, const char *text, size_t length)
{
	incoming->size_bytes += length;
	if (incoming->size_bytes > incoming->size_max_bytes)
		note_fault(incoming, INCOMING_TOO_LARGE);
	if (incoming->fault == INCOMING_FINE)
		check_space(incoming, length);
	if (incoming->fault != INCOMING_FINE)
		return;
	(void)headers_pass(&incoming->headers, text, length);
	if (incoming->headers.received > RECEIVED_MAX)
		note_fault(incoming, INCOMING_LOOPS);
}

/* Take buffered input. Returns whether the message has ended. */
static bool
take_input(struct incoming *incoming, struct stream *stream, const char *input,
    size_t length)
{
	const char *position = input, *text;
	enum data_event event;
	size_t text_length;

	while ((event = data_next(&incoming->data, &position, input + length,
		    &text, &text_length)) == DATA_TEXT)
		take_text(incoming, text, text_length);
	stream_consume(stream, (size_t)(position - input));
	incoming->taken_bytes += (uint64_t)(position - input);
	return event == DATA_END;
}

/* The deadline for the next piece: timeout_ms from now, but not later than the
 * whole message may take at INCOMING_RATE_MIN. */
static int64_t
piece_deadline_mono_ms(const struct incoming *incoming, int64_t start_mono_ms,
    int64_t timeout_ms)
{
	int64_t piece_mono_ms = clock_mono_ms() + timeout_ms;
	int64_t whole_mono_ms = start_mono_ms + timeout_ms +
	    (int64_t)incoming->taken_bytes * 1000 / INCOMING_RATE_MIN;

	return piece_mono_ms < whole_mono_ms ? piece_mono_ms : whole_mono_ms;
}

enum incoming_end
incoming_receive(struct incoming *incoming, struct stream *stream,
    int timeout_sec)
{
	int64_t timeout_ms = (int64_t)timeout_sec * 1000;
	int64_t start_mono_ms = clock_mono_ms();
	const char *input;
	ssize_t n;

	do {
		if (incoming->taken_bytes > ENDLESS * incoming->size_max_bytes)
			return INCOMING_ENDLESS;
		n = stream_peek(stream, &input,
		    piece_deadline_mono_ms(incoming, start_mono_ms,
			timeout_ms));
		if (n < 0)
			return n == -ETIMEDOUT ? INCOMING_TIMEOUT
					       : INCOMING_CUT_SHORT;
	} while (!take_input(incoming, stream, input, (size_t)n));
	if (incoming->fault == INCOMING_FINE)
		(void)headers_end(&incoming->headers);
	return INCOMING_WHOLE;
}

struct reply
incoming_commit(struct incoming *incoming)
{
	int r;

	if (incoming->data.has_nul)
		return reply_make(550, "5.6.11", "NUL in the message");
	if (incoming->data.is_refused)
		return reply_make(550, "5.6.11",
		    "bare CR or LF in the message");
	switch (incoming->fault) {
	case INCOMING_TOO_LARGE:
		return reply_make(552, "5.3.4", "message too large");
	case INCOMING_LOOPS:
		return reply_make(554, "5.4.6",
		    "too many Received fields: mail loop");
	case INCOMING_SPOOL_ERROR:
		return reply_spool_error(incoming->spool_error);
	case INCOMING_FINE:
		break;
	}
	r = draft_commit(incoming->draft);
	if (r == 0)
		return reply_ok;
	incoming->spool_error = r;
	return reply_spool_error(r);
}

void
incoming_free(struct incoming *incoming)
{
	draft_free(incoming->draft);
	incoming->draft = NULL;
}
