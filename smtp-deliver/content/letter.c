/* SPDX-License-Identifier: ISC */

/*
 * letter.c - a message as it is sent, which may differ from what is stored.
 *
 * Who reads it, to sign it or to send it, sees one text and need not know of
 * edits. Nothing is written, and memory does not grow with the message.
 */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "smtp-deliver/content/letter.h"

uint64_t
letter_size(const struct letter *letter)
{
	uint64_t size = letter->size_bytes;

	for (size_t i = 0; i < letter->edit_count; i++)
		size += strlen(letter->edits[i].text) - letter->edits[i].length;
	return size;
}

/* Read at most so much of what is stored. */
static ssize_t
read_stored(const struct letter *letter, uint64_t offset, uint64_t left,
    char *ret_data, size_t size)
{
	ssize_t n;

	do
		n = pread(letter->fd, ret_data,
		    left < size ? (size_t)left : size,
		    (off_t)(letter->offset + offset));
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

ssize_t
letter_read(const struct letter *letter, uint64_t position, char *ret_data,
    size_t size)
{
	uint64_t stored = 0; /* what comes next there */

	for (size_t i = 0; i < letter->edit_count; i++) {
		const struct letter_edit *edit = &letter->edits[i];
		uint64_t before = edit->offset - stored;
		size_t length = strlen(edit->text);

		if (position < before)
			return read_stored(letter, stored + position,
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
	if (position >= letter->size_bytes - stored)
		return 0;
	return read_stored(letter, stored + position,
	    letter->size_bytes - stored - position, ret_data, size);
}
