/* SPDX-License-Identifier: ISC */

/*
 * content.c - a message as it is sent, which may differ from what is stored.
 *
 * Who reads it, to sign it or to send it, sees one text and need not know of
 * edits. Nothing is written, and memory does not grow with the message.
 */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "smtp-deliver/content/content.h"

uint64_t
content_size_bytes(const struct content *content)
{
	uint64_t size = content->size_bytes;

	for (size_t i = 0; i < content->edit_count; i++)
		size +=
		    strlen(content->edits[i].text) - content->edits[i].length;
	return size;
}

/* Read at most so much of what is stored. */
static ssize_t
read_stored(const struct content *content, uint64_t offset, uint64_t left,
    char *ret_data, size_t size)
{
	ssize_t n;

	do
		n = pread(content->fd, ret_data,
		    left < size ? (size_t)left : size,
		    (off_t)(content->offset + offset));
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
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
	if (position >= content->size_bytes - stored)
		return 0;
	return read_stored(content, stored + position,
	    content->size_bytes - stored - position, ret_data, size);
}
