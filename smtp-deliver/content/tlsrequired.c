/* SPDX-License-Identifier: ISC */

/*
 * tlsrequired.c - the header field TLS-Required: whether a message overrides
 * the TLS policies of domains (RFC 8689 section 3). Pure.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "lib/fields.h"
#include "smtp-deliver/content/tlsrequired.h"

#define FIELD_NAME "TLS-Required"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_no(const char *value, size_t length)
{
	while (length > 0 && is_blank(value[length - 1]))
		length--;
	while (length > 0 && is_blank(*value)) {
		value++;
		length--;
	}
	return length == 2 && strncasecmp(value, "No", 2) == 0;
}

/* At the body of a field: go to its end. */
static void
skip_field(struct fields *fields, const char **position, const char *end)
{
	while (fields_next(fields, position, end) == FIELDS_TEXT)
		;
}

bool
tlsrequired_is_no(const char *text, size_t length)
{
	const char *p = text, *end = text + length;
	struct fields fields;
	bool has_no = false;
	int count = 0;

	fields_start(&fields);
	while (fields_next(&fields, &p, end) == FIELDS_NAME) {
		const char *value = p;
		bool is_ours = fields_has_name(&fields, FIELD_NAME);

		skip_field(&fields, &p, end);
		if (!is_ours)
			continue;
		has_no = is_no(value, (size_t)(p - value));
		count++;
	}
	return has_no && count == 1;
}
