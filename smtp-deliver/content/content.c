/* SPDX-License-Identifier: ISC */

/*
 * content.c - a message as it is sent, which may differ from what is stored.
 *
 * To those who read it, to sign or to send it, it is one text; the edits do not
 * show. Nothing is written, and memory does not grow with the message.
 */

#include "config.h"

#include <string.h>

#include "smtp-deliver/content/content.h"

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
