/* SPDX-License-Identifier: ISC */

/*
 * headers.c - add From, Date and Message-ID to a message that lacks them (RFC
 * 5321 section 6.4, RFC 6409 section 8), and remove the fields that must not
 * leave this host.
 *
 * The rest of the message is passed on as it comes; fields are added at the end
 * of its header section. A message that begins with no header at all gets one.
 * Lines such as "From a@example.com Mon Sep 17 00:00:00 2001" that precede a
 * header, as in mbox files and in the output of git format-patch, are removed;
 * where no field follows them they are text. Pure: what comes out goes to the
 * caller's function; the body and the size of the message are not looked at.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/address.h"
#include "smtp-session/headers.h"

#define FIELD_SIZE 512

/* Removed with their folded lines, as Postfix does: blind copies (RFC 5322
 * section 3.6.3), the field that the last host writes (RFC 5321 section 4.4),
 * and a size that is wrong once the message has changed. */
static const char *const removed[] = { "Bcc", "Resent-Bcc", "Return-Path",
	"Content-Length" };

void
headers_start(struct headers *headers, headers_write *write, void *context,
    const char *from, const char *date, const char *message_id)
{
	headers->write = write;
	headers->context = context;
	headers->from = from;
	headers->date = date;
	headers->message_id = message_id;
	headers->is_over = headers->is_removing = false;
	headers->is_in_mbox_line = false;
	headers->held_length = 0;
	headers->has_from = headers->has_date = headers->has_message_id = false;
	headers->received = 0;
	fields_start(&headers->fields);
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

	headers->is_over = true;
	if (!headers->has_from)
		r = add_field(headers, "From", headers->from);
	if (r == 0 && !headers->has_date)
		r = add_field(headers, "Date", headers->date);
	if (r == 0 && !headers->has_message_id)
		r = add_field(headers, "Message-ID", headers->message_id);
	return r;
}

static int
write_start(struct headers *headers)
{
	return headers->write(headers->context, headers->fields.start,
	    headers->fields.start_length);
}

static bool
is_removed(const struct fields *fields)
{
	for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++)
		if (fields_has_name(fields, removed[i]))
			return true;
	return false;
}

static int
begin_field(struct headers *headers)
{
	const struct fields *fields = &headers->fields;

	headers->held_length = 0;
	headers->is_removing = is_removed(fields);
	if (headers->is_removing)
		return 0;
	headers->has_from |= fields_has_name(fields, "From");
	headers->has_date |= fields_has_name(fields, "Date");
	headers->has_message_id |= fields_has_name(fields, "Message-ID");
	headers->received += fields_has_name(fields, "Received");
	return write_start(headers);
}

/* The header section has ended without a blank line: what is held, and the
 * start of this line, belong to the body. */
static int
end_abruptly(struct headers *headers)
{
	int r;

	if ((r = add_missing(headers)) < 0 ||
	    (r = headers->write(headers->context, "\r\n", 2)) < 0 ||
	    (r = headers->write(headers->context, headers->held,
		 headers->held_length)) < 0)
		return r;
	return write_start(headers);
}

/* The blank line follows what is missing. */
static int
end_header(struct headers *headers)
{
	int r;

	if (headers->held_length > 0)
		return end_abruptly(headers);
	r = add_missing(headers);
	return r < 0 ? r : write_start(headers);
}

/* Whether the line, of which the start was taken and which is no field, is the
 * first of its message or follows such lines, and begins with "From " or, as
 * quoted in mbox files, ">From ". */
static bool
is_mbox_line(const struct fields *fields)
{
	static const char from[] = { 'F', 'r', 'o', 'm', ' ' };
	size_t i = 0;

	while (i < fields->start_length && fields->start[i] == '>')
		i++;
	return fields->begin == 0 && fields->start_length - i >= sizeof(from) &&
	    memcmp(fields->start + i, from, sizeof(from)) == 0;
}

/* Hold octets of a line. Returns false if there is no room. */
static bool
hold(struct headers *headers, const char *text, size_t length)
{
	if (length > HEADERS_HELD_MAX - headers->held_length)
		return false;
	memcpy(headers->held + headers->held_length, text, length);
	headers->held_length += length;
	return true;
}

/* The line is no field: hold it, or end the header. */
static int
take_other_line(struct headers *headers)
{
	struct fields *fields = &headers->fields;

	if (!is_mbox_line(fields) ||
	    !hold(headers, fields->start, fields->start_length))
		return end_abruptly(headers);
	headers->is_in_mbox_line = true;
	fields_start(fields);
	return 0;
}

/* Take the rest of a line that is held, as far as it has come. */
static int
hold_line(struct headers *headers, const char **position, const char *end)
{
	const char *lf = memchr(*position, '\n', (size_t)(end - *position));

	if (lf != NULL)
		end = lf + 1;
	if (!hold(headers, *position, (size_t)(end - *position)))
		return end_abruptly(headers);
	*position = end;
	headers->is_in_mbox_line = lf == NULL;
	return 0;
}

/* Take octets up to the next event. */
static int
pass_some(struct headers *headers, const char **position, const char *end)
{
	const char *text = *position;

	if (headers->is_in_mbox_line)
		return hold_line(headers, position, end);
	switch (fields_next(&headers->fields, position, end)) {
	case FIELDS_NAME:
		return begin_field(headers);
	case FIELDS_TEXT:
		if (headers->is_removing)
			return 0;
		return headers->write(headers->context, text,
		    (size_t)(*position - text));
	case FIELDS_BLANK:
		return end_header(headers);
	case FIELDS_NOT_FIELD:
		return take_other_line(headers);
	default:
		return 0;
	}
}

int
headers_pass(struct headers *headers, const char *text, size_t length)
{
	const char *end = text + length;
	int r = 0;

	while (r == 0 && text < end && !headers->is_over)
		r = pass_some(headers, &text, end);
	if (r == 0 && text < end)
		r = headers->write(headers->context, text,
		    (size_t)(end - text));
	return r;
}

int
headers_end(struct headers *headers)
{
	if (headers->is_over)
		return 0;
	return fields_end(&headers->fields) == FIELDS_NOT_FIELD ||
		headers->held_length > 0
	    ? end_abruptly(headers)
	    : add_missing(headers);
}

void
headers_format_from(const char *sender, const char *hostname,
    char ret_from[HEADERS_FROM_SIZE])
{
	char quoted[ADDRESS_SIZE];

	if (*sender == '\0')
		(void)snprintf(ret_from, HEADERS_FROM_SIZE, "MAILER-DAEMON@%s",
		    hostname);
	else
		(void)strlcpy(ret_from, address_quote(sender, quoted),
		    HEADERS_FROM_SIZE);
}
