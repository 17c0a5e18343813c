/* SPDX-License-Identifier: ISC */

/*
 * message.c - receive a message into the spool.
 *
 * The octets go from the stream through data.c (end of data, dot stuffing) and
 * headers.c (what the header lacks) into a draft. A message that is refused is
 * read to its end all the same, so that the session can go on.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "smtp-session/message.h"

/* RFC 5321 section 6.3 asks for 100 at the least. */
#define RECEIVED_MAX 100

static void
note_fault(struct message *message, enum message_fault fault)
{
	if (fault > message->fault)
		message->fault = fault;
}

/* What headers.c lets out. Trouble is kept for the reply. */
static int
write_draft(void *context, const void *data, size_t size_bytes)
{
	struct message *message = context;
	int r;

	if (message->fault != MESSAGE_FINE)
		return 0;
	r = draft_write(message->draft, data, size_bytes);
	if (r < 0) {
		message->spool_error = r;
		note_fault(message, MESSAGE_SPOOL_ERROR);
	}
	return 0;
}

static int
write_trace(struct message *message, const struct trace *trace)
{
	char text[TRACE_SIZE];

	return draft_write(message->draft, text, trace_render(trace, text));
}

int
message_begin(struct message *message, struct spool *spool,
    const struct envelope *envelope, const struct trace *trace,
    enum bare_newline bare_newline)
{
	int r;

	if ((r = draft_begin(spool, envelope, &message->draft)) < 0)
		return r;
	if ((r = write_trace(message, trace)) < 0) {
		draft_free(message->draft);
		return r;
	}
	message->size_bytes = message->taken_bytes = 0;
	message->fault = MESSAGE_FINE;
	message->spool_error = 0;
	clock_format_date(trace->real_ms, message->date);
	(void)snprintf(message->message_id, sizeof(message->message_id),
	    "<%s@%s>", trace->id, trace->hostname);
	data_start(&message->data, bare_newline == BARE_NEWLINE_NORMALIZE);
	headers_start(&message->headers, write_draft, message, message->date,
	    message->message_id);
	return 0;
}

static void
take_text(struct message *message, const char *text, size_t length)
{
	message->size_bytes += length;
	if (message->size_bytes > MESSAGE_SIZE_MAX)
		note_fault(message, MESSAGE_TOO_LARGE);
	if (message->fault != MESSAGE_FINE)
		return;
	(void)headers_pass(&message->headers, text, length);
	if (message->headers.received > RECEIVED_MAX)
		note_fault(message, MESSAGE_LOOPS);
}

/* Take what the stream has. Returns whether the message has ended. */
static bool
take_input(struct message *message, struct stream *stream, const char *input,
    size_t length)
{
	const char *position = input, *text;
	enum data_event event;
	size_t text_length;

	while ((event = data_next(&message->data, &position, input + length,
		    &text, &text_length)) == DATA_TEXT)
		take_text(message, text, text_length);
	stream_consume(stream, (size_t)(position - input));
	message->taken_bytes += (uint64_t)(position - input);
	return event == DATA_END;
}

int
message_receive(struct message *message, struct stream *stream, int timeout_sec)
{
	int64_t throttle_ms = (int64_t)timeout_sec * 1000;
	int64_t start_ms = clock_mono_ms();
	const char *input;

	for (;;) {
		/* The floor on the rate: octets buy time. */
		int64_t now_ms = clock_mono_ms();
		int64_t deadline_ms = start_ms + throttle_ms +
		    (int64_t)message->taken_bytes * 1000 / MESSAGE_RATE_MIN;
		ssize_t n;

		if (deadline_ms > now_ms + throttle_ms)
			deadline_ms = now_ms + throttle_ms;
		n = stream_peek(stream, &input, deadline_ms);
		if (n < 0)
			return (int)n;
		if (take_input(message, stream, input, (size_t)n))
			break;
		if (message->taken_bytes > MESSAGE_SIZE_ENDLESS)
			return -EFBIG;
	}
	if (message->fault == MESSAGE_FINE)
		(void)headers_end(&message->headers);
	return 0;
}

struct reply
message_commit(struct message *message)
{
	int r;

	if (message->data.is_refused)
		return (struct reply){ 550, "5.6.11",
			"NUL, bare CR or bare LF in the message" };
	switch (message->fault) {
	case MESSAGE_TOO_LARGE:
		return (struct reply){ 552, "5.3.4", "message too large" };
	case MESSAGE_LOOPS:
		return (struct reply){ 554, "5.4.6",
			"too many Received fields: it runs in a circle" };
	case MESSAGE_SPOOL_ERROR:
		return reply_spool_error(message->spool_error);
	case MESSAGE_FINE:
		break;
	}
	r = draft_commit(message->draft);
	if (r == 0)
		return reply_ok;
	message->spool_error = r;
	return reply_spool_error(r);
}

void
message_free(struct message *message)
{
	draft_free(message->draft);
	message->draft = NULL;
}
