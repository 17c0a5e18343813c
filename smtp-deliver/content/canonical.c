/* SPDX-License-Identifier: ISC */

/*
 * canonical.c - the form in which a message is signed (RFC 6376 section 3.4):
 * "relaxed" for fields and for the body, which tolerates changes that relays
 * make to white space.
 *
 * Only CRLF ends a line; a CR or an LF alone is an octet like others. Pure:
 * what comes out goes to the caller's function; no memory grows with the text.
 */

#include "config.h"

#include "smtp-deliver/content/canonical.h"

void
canonical_start(struct canonical *canonical, canonical_write *write,
    void *context)
{
	canonical->write = write;
	canonical->context = context;
	canonical->has_cr = canonical->has_space = false;
	canonical->is_in_body = canonical->is_any = false;
	canonical->line_ends = canonical->used = 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static void
flush(struct canonical *canonical)
{
	if (canonical->used > 0)
		canonical->write(canonical->context, canonical->buffer,
		    canonical->used);
	canonical->used = 0;
}

static void
put(struct canonical *canonical, char c)
{
	if (canonical->used == sizeof(canonical->buffer))
		flush(canonical);
	canonical->buffer[canonical->used++] = c;
}

static void
put_line_end(struct canonical *canonical)
{
	put(canonical, '\r');
	put(canonical, '\n');
}

/* ---- the body ------------------------------------------------------------ */

/* An octet that stays, and what was held back before it. */
static void
put_text(struct canonical *canonical, char c)
{
	for (; canonical->line_ends > 0; canonical->line_ends--)
		put_line_end(canonical);
	if (canonical->has_space)
		put(canonical, ' ');
	canonical->has_space = false;
	canonical->is_any = true;
	put(canonical, c);
}

static void
add_body_octet(struct canonical *canonical, char c)
{
	if (canonical->has_cr && c == '\n') {
		canonical->has_cr = canonical->has_space = false;
		canonical->line_ends++;
		return;
	}
	if (canonical->has_cr)
		put_text(canonical, '\r');
	canonical->has_cr = c == '\r';
	if (is_space(c))
		canonical->has_space = true;
	else if (c != '\r')
		put_text(canonical, c);
}

void
canonical_add_body(struct canonical *canonical, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		add_body_octet(canonical, text[i]);
}

void
canonical_end_body(struct canonical *canonical)
{
	if (canonical->has_cr)
		put_text(canonical, '\r');
	if (canonical->is_any)
		put_line_end(canonical);
	flush(canonical);
}

/* ---- a field ------------------------------------------------------------- */

static char
to_lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	return c;
}

/* White space is dropped before the colon. After it, it is held back: it may be
 * at the end. */
static void
put_value(struct canonical *canonical, char c)
{
	if (canonical->has_space && canonical->is_any)
		put(canonical, ' ');
	canonical->has_space = false;
	canonical->is_any = true;
	put(canonical, c);
}

static void
put_field_octet(struct canonical *canonical, char c)
{
	if (is_space(c))
		canonical->has_space = canonical->is_in_body;
	else if (canonical->is_in_body)
		put_value(canonical, c);
	else {
		canonical->is_in_body = c == ':';
		put(canonical, to_lower(c));
	}
}

static void
add_field_octet(struct canonical *canonical, char c)
{
	if (canonical->has_cr && c == '\n') {
		canonical->has_cr = false;
		return;
	}
	if (canonical->has_cr)
		put_field_octet(canonical, '\r');
	canonical->has_cr = c == '\r';
	if (c != '\r')
		put_field_octet(canonical, c);
}

void
canonical_add_field(struct canonical *canonical, const char *text,
    size_t length)
{
	for (size_t i = 0; i < length; i++)
		add_field_octet(canonical, text[i]);
}

void
canonical_end_field(struct canonical *canonical)
{
	if (canonical->has_cr)
		put_field_octet(canonical, '\r');
	flush(canonical);
}
