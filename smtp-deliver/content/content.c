/* SPDX-License-Identifier: ISC */

/*
 * content.c - a message as it is sent, which may differ from what is stored.
 *
 * To those who read it, to sign or to send it, it is one text; the edits do not
 * show. Nothing is written, and memory does not grow with the message.
 */

#include "config.h"

#include <string.h>

#include "lib/fields.h"
#include "lib/utf8.h"
#include "smtp-deliver/content/content.h"

#define READ_SIZE 65536

uint64_t
content_size_bytes(const struct content *content)
{
	uint64_t size = content->message->content_size_bytes;

	for (size_t i = 0; i < content->edit_count; i++)
		size +=
		    strlen(content->edits[i].text) - content->edits[i].length;
	return size;
}

/* Read at most limit octets of what is stored. */
static ssize_t
read_stored(const struct content *content, uint64_t offset, uint64_t limit,
    char *ret_data, size_t size)
{
	return message_read(content->message, ret_data,
	    limit < size ? (size_t)limit : size, offset);
}

ssize_t
content_read(const struct content *content, uint64_t position, char *ret_data,
    size_t size)
{
	uint64_t stored = 0; /* what comes next there */

	for (size_t i = 0; i < content->edit_count; i++) {
		const struct content_edit *edit = &content->edits[i];
		uint64_t before = edit->offset - stored;
		size_t length = strlen(edit->text);

		if (position < before)
			return read_stored(content, stored + position,
			    before - position, ret_data, size);
		position -= before;
		if (position < length) {
			length -= (size_t)position;
			if (length > size)
				length = size;
			memcpy(ret_data, edit->text + position, length);
			return (ssize_t)length;
		}
		position -= length;
		stored = edit->offset + edit->length;
	}
	return message_read(content->message, ret_data, size,
	    stored + position);
}

/* ---- octets outside ASCII ------------------------------------------------ */

/* Look at octets of the header. Returns false at its end. */
static bool
look_at_header(struct fields *fields, const char **position, const char *end,
    struct content_octets *octets)
{
	const char *before = *position;

	switch (fields_next(fields, position, end)) {
	case FIELDS_TEXT:
		octets->in_header = octets->in_header ||
		    has_high_octet(before, (size_t)(*position - before));
		return true;
	case FIELDS_BLANK:
	case FIELDS_BODY:
		return false;
	case FIELDS_NOT_FIELD:
		octets->in_body = octets->in_body ||
		    has_high_octet(fields->start, fields->start_length);
		return false;
	default:
		return true;
	}
}

void
content_find_octets(const struct content *content,
    struct content_octets *ret_octets)
{
	char buffer[READ_SIZE];
	struct fields fields;
	bool is_in_header = true;
	uint64_t done = 0;
	ssize_t n;

	*ret_octets = (struct content_octets){ .in_header = false };
	fields_start(&fields);
	while ((is_in_header || !ret_octets->in_body) &&
	    (n = content_read(content, done, buffer, sizeof(buffer))) > 0) {
		const char *p = buffer, *end = buffer + n;

		while (is_in_header && p < end)
			is_in_header =
			    look_at_header(&fields, &p, end, ret_octets);
		if (!is_in_header && !ret_octets->in_body)
			ret_octets->in_body =
			    has_high_octet(p, (size_t)(end - p));
		done += (uint64_t)n;
	}
}
