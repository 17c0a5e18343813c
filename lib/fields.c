/* SPDX-License-Identifier: ISC */

/*
 * fields.c - find the fields of a message's header (RFC 5322 sections 2.2 and
 * 4.5).
 *
 * Takes octets in pieces of any size. A field is a name of printable ASCII,
 * perhaps white space, and a colon; lines that begin with white space continue
 * it. A line ends in LF; its CR is part of the text. A blank line ends the
 * header, and so does a line that cannot belong to one. Pure: no I/O, and no
 * memory beyond the start of a line.
 *
 *	          name and colon
 *	AT_LINE ------------------> IN_LINE
 *	  |  ^                         |
 *	  |  +-----------LF------------+
 *	  +-- blank line, no field --> OVER
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "lib/fields.h"

void
fields_start(struct fields *fields)
{
	fields->state = FIELDS_AT_LINE;
	fields->is_open = fields->has_bare_lf = false;
	fields->last = '\0';
	fields->offset = fields->begin = 0;
	fields->name_length = fields->start_length = 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether the line is a blank one with c as its last octet. */
static bool
is_blank_line(const struct fields *fields, char c)
{
	if (c != '\n')
		return false;
	return fields->start_length == 0 ||
	    (fields->start_length == 1 && fields->start[0] == '\r');
}

/* Whether the line can still be a field or a blank line with c. */
static bool
can_follow(const struct fields *fields, char c)
{
	size_t length = fields->start_length;

	if (length == 0)
		return c == '\r' || (c > ' ' && c <= '~' && c != ':');
	if (length == FIELDS_START_MAX || fields->start[0] == '\r')
		return false;
	if (c == ':' || is_space(c))
		return true;
	return c > ' ' && c <= '~' && !is_space(fields->start[length - 1]);
}

static enum fields_event
end_header(struct fields *fields, enum fields_event event)
{
	fields->state = FIELDS_OVER;
	return event;
}

/* Begin a field, after its colon. */
static enum fields_event
begin_field(struct fields *fields)
{
	size_t length = fields->start_length - 1;

	while (is_space(fields->start[length - 1]))
		length--;
	fields->name_length = length;
	fields->is_open = true;
	fields->state = FIELDS_IN_LINE;
	return FIELDS_NAME;
}

/* Take a line's first octets, until its kind is known. */
static enum fields_event
take_start(struct fields *fields, const char **position, const char *end)
{
	for (const char *p = *position; p < end;) {
		bool is_blank = is_blank_line(fields, *p);

		if (!is_blank && !can_follow(fields, *p))
			return end_header(fields, FIELDS_NOT_FIELD);
		fields->last = fields->start[fields->start_length++] = *p;
		*position = ++p;
		if (is_blank)
			return end_header(fields, FIELDS_BLANK);
		if (fields->last == ':')
			return begin_field(fields);
	}
	return FIELDS_MORE;
}

/* Take the rest of a line, as far as it has come. */
static enum fields_event
take_line(struct fields *fields, const char **position, const char *end)
{
	const char *p = *position;
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	if (lf != NULL) {
		fields->has_bare_lf |= (lf > p ? lf[-1] : fields->last) != '\r';
		fields->state = FIELDS_AT_LINE;
		end = lf + 1;
	}
	fields->last = end[-1];
	*position = end;
	return FIELDS_TEXT;
}

static enum fields_event
end_field(struct fields *fields)
{
	fields->is_open = false;
	fields->begin = fields->offset;
	fields->start_length = 0;
	return FIELDS_END_FIELD;
}

/* At the first octet of the line after a field's: continue or end the field. */
static enum fields_event
continue_field(struct fields *fields, const char **position, const char *end)
{
	if (is_space(**position)) {
		fields->state = FIELDS_IN_LINE;
		return take_line(fields, position, end);
	}
	return end_field(fields);
}

enum fields_event
fields_next(struct fields *fields, const char **position, const char *end)
{
	const char *begin = *position;
	enum fields_event event;

	if (fields->state == FIELDS_OVER)
		return FIELDS_BODY;
	if (begin == end)
		return FIELDS_MORE;
	if (fields->state == FIELDS_IN_LINE)
		event = take_line(fields, position, end);
	else if (fields->is_open)
		event = continue_field(fields, position, end);
	else
		event = take_start(fields, position, end);
	fields->offset += (uint64_t)(*position - begin);
	return event;
}

enum fields_event
fields_end(struct fields *fields)
{
	bool is_in_line = fields->state == FIELDS_IN_LINE;

	if (fields->state == FIELDS_OVER)
		return FIELDS_BODY;
	fields->state = FIELDS_OVER;
	if (!fields->is_open)
		return fields->start_length > 0 ? FIELDS_NOT_FIELD
						: FIELDS_BODY;
	if (is_in_line)
		return FIELDS_CUT;
	return end_field(fields);
}

bool
fields_has_name(const struct fields *fields, const char *name)
{
	return strlen(name) == fields->name_length &&
	    strncasecmp(fields->start, name, fields->name_length) == 0;
}
