/* SPDX-License-Identifier: ISC */

/*
 * tlsrequired.c - whether a message wants the TLS policies of domains put aside for
 * it (RFC 8689 section 3): the field TLS-Required. Pure.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "smtp-deliver/content/tlsrequired.h"

#define FIELD_NAME "TLS-Required"

/* What is left to be read. */
struct text {
	const char *p;
	const char *end;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Take a field with the lines that it goes on with. Returns whether there is
 * one: the blank line and the end of the text are none. */
static bool
take_field(struct text *text, struct text *ret_field)
{
	const char *p = text->p;

	if (p == text->end || *p == '\r' || *p == '\n')
		return false;
	do {
		p = memchr(p, '\n', (size_t)(text->end - p));
		p = p != NULL ? p + 1 : text->end;
	} while (p < text->end && (*p == ' ' || *p == '\t'));
	ret_field->p = text->p;
	ret_field->end = p;
	text->p = p;
	return true;
}

/* Whether a field is of a name; what is left of it then is its value. */
static bool
take_name(struct text *field, const char *name)
{
	size_t length = strlen(name);

	if ((size_t)(field->end - field->p) <= length ||
	    strncasecmp(field->p, name, length) != 0)
		return false;
	field->p += length;
	while (field->p < field->end && is_blank(*field->p))
		field->p++;
	return field->p < field->end && *field->p++ == ':';
}

static bool
is_no(struct text value)
{
	while (value.p < value.end && is_blank(*value.p))
		value.p++;
	while (value.p < value.end && is_blank(value.end[-1]))
		value.end--;
	return value.end - value.p == 2 && strncasecmp(value.p, "No", 2) == 0;
}

bool
tlsrequired_is_no(const char *text, size_t length)
{
	struct text rest = { text, text + length }, field;
	bool is_waived = false;
	int count = 0;

	while (take_field(&rest, &field))
		if (take_name(&field, FIELD_NAME)) {
			is_waived = is_no(field);
			count++;
		}
	return is_waived && count == 1;
}
