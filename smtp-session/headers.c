/* SPDX-License-Identifier: ISC */

/*
 * headers.c - add Date and Message-ID to a message that lacks them (RFC 5321
 * section 6.4, RFC 6409 section 8).
 *
 * The message is passed on as it comes; the fields are added at the end of its
 * header section. A message that begins with no header at all gets one. Pure:
 * what comes out goes to the caller's function, the rest of the message and
 * its size are none of this module's business.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp-session/headers.h"

#define FIELD_SIZE 512

void
headers_start(struct headers *headers, headers_write *write, void *context,
    const char *date, const char *message_id)
{
	*headers = (struct headers){
		.write = write,
		.context = context,
		.date = date,
		.message_id = message_id,
		.state = HEADERS_AT_LINE,
		.is_first_line = true,
	};
}

static int
add_field(struct headers *headers, const char *name, const char *body)
{
	char field[FIELD_SIZE];
	int length = snprintf(field, sizeof(field), "%s: %s\r\n", name, body);

	return headers->write(headers->context, field, (size_t)length);
}

static int
add_missing(struct headers *headers)
{
	int r = 0;

	if (!headers->has_date)
		r = add_field(headers, "Date", headers->date);
	if (r == 0 && !headers->has_message_id)
		r = add_field(headers, "Message-ID", headers->message_id);
	headers->state = HEADERS_DONE;
	return r;
}

static int
write_start(struct headers *headers)
{
	size_t used = headers->used;

	headers->used = 0;
	headers->is_first_line = false;
	return headers->write(headers->context, headers->start, used);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The line is a field: its name and the colon are in start. */
static int
begin_field(struct headers *headers)
{
	size_t length = headers->used - 1;

	while (length > 0 && is_space(headers->start[length - 1]))
		length--;
	headers->start[headers->used] = '\0';
	if (length == 4 && strncasecmp(headers->start, "Date", length) == 0)
		headers->has_date = true;
	else if (length == 10 &&
	    strncasecmp(headers->start, "Message-ID", length) == 0)
		headers->has_message_id = true;
	else if (length == 8 &&
	    strncasecmp(headers->start, "Received", length) == 0)
		headers->received++;
	headers->state = HEADERS_IN_LINE;
	return write_start(headers);
}

/* The line cannot be in a header section: it has ended without a blank one. */
static int
end_abruptly(struct headers *headers)
{
	int r;

	if ((r = add_missing(headers)) < 0 ||
	    (r = headers->write(headers->context, "\r\n", 2)) < 0)
		return r;
	return write_start(headers);
}

/* Whether c may follow what the line begins with, if that is to be a field:
 * its name, perhaps spaces (RFC 5322 section 4.5), a colon. */
static bool
can_follow(const struct headers *headers, char c)
{
	if (headers->used == HEADERS_NAME_MAX)
		return false;
	if (c == ':' || is_space(c))
		return headers->used > 0;
	return c > ' ' && c <= '~' &&
	    (headers->used == 0 ||
		!is_space(headers->start[headers->used - 1]));
}

/* Look at the first octets of a line, one at a time, until it is known what it
 * is. Octets that are not taken are looked at again in the next state. */
static int
take_start(struct headers *headers, char c, bool *ret_is_taken)
{
	*ret_is_taken = false;
	if (headers->used == 0 && c == '\r')
		return add_missing(headers); /* the blank line */
	if (headers->used == 0 && is_space(c) && !headers->is_first_line) {
		headers->state = HEADERS_IN_LINE; /* a folded field */
		return 0;
	}
	if (!can_follow(headers, c))
		return end_abruptly(headers);
	*ret_is_taken = true;
	headers->start[headers->used++] = c;
	return c == ':' ? begin_field(headers) : 0;
}

/* Pass the line on up to its end, if that is there. */
static int
pass_line(struct headers *headers, const char *text, size_t length,
    size_t *ret_taken)
{
	const char *lf = memchr(text, '\n', length);

	*ret_taken = lf != NULL ? (size_t)(lf + 1 - text) : length;
	if (lf != NULL)
		headers->state = HEADERS_AT_LINE;
	return headers->write(headers->context, text, *ret_taken);
}

int
headers_pass(struct headers *headers, const char *text, size_t length)
{
	int r = 0;

	while (r == 0 && length > 0 && headers->state != HEADERS_DONE) {
		size_t taken;

		if (headers->state == HEADERS_AT_LINE) {
			bool is_taken;

			r = take_start(headers, *text, &is_taken);
			taken = is_taken;
		} else
			r = pass_line(headers, text, length, &taken);
		text += taken;
		length -= taken;
	}
	if (r == 0 && length > 0)
		r = headers->write(headers->context, text, length);
	return r;
}

int
headers_end(struct headers *headers)
{
	if (headers->state == HEADERS_DONE)
		return 0;
	return headers->used > 0 ? end_abruptly(headers) : add_missing(headers);
}
