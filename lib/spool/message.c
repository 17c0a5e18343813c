/* SPDX-License-Identifier: ISC */

/*
 * message.c - read a message of the spool by a descriptor.
 */

#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/spool/checksum.h"
#include "lib/spool/layout.h"
#include "lib/spool/message.h"

#define READ_SIZE 65536

/* The block before the content, while a message is opened. */
struct block {
	char *text;
	size_t length; /* to the end of the seal */
	size_t notes_length;
	struct envelope_seal seal;
	uint64_t file_size_bytes;
};

static int
read_block(struct message *message, struct block *ret_block)
{
	struct stat st;
	size_t size = ENVELOPE_BLOCK_MAX;
	ssize_t n;
	int r;

	*ret_block = (struct block){ .text = NULL };
	if (fstat(message->fd, &st) == -1)
		return -errno;
	ret_block->file_size_bytes = (uint64_t)st.st_size;
	if (ret_block->file_size_bytes < size)
		size = (size_t)ret_block->file_size_bytes;
	if ((ret_block->text = malloc(size + 1)) == NULL)
		return -ENOMEM;
	if ((n = layout_read_start(message->fd, ret_block->text, size)) < 0)
		return (int)n;
	r = envelope_parse(ret_block->text, (size_t)n, &message->envelope,
	    &ret_block->seal, &ret_block->length);
	if (r < 0)
		return r;
	ret_block->notes_length =
	    envelope_parse_notes(ret_block->text + ret_block->length,
		(size_t)n - ret_block->length, &message->envelope);
	if (ret_block->notes_length > ret_block->seal.size_bytes)
		return -EBADMSG;
	message->content_offset = ret_block->length + ret_block->notes_length;
	message->content_size_bytes =
	    ret_block->seal.size_bytes - ret_block->notes_length;
	return 0;
}

static int
add_content_to_checksum(const struct message *message,
    struct checksum *checksum)
{
	char *buffer = malloc(READ_SIZE);
	uint64_t offset = 0;
	ssize_t n;

	if (buffer == NULL)
		return -ENOMEM;
	while ((n = message_read(message, buffer, READ_SIZE, offset)) > 0) {
		checksum_add(checksum, buffer, (size_t)n);
		offset += (uint64_t)n;
	}
	free(buffer);
	return (int)n;
}

/* Compare the file's length and checksum with its seal. */
static int
verify_seal(const struct message *message, const struct block *block)
{
	struct checksum *checksum;
	int r;

	if (message->content_offset + message->content_size_bytes !=
	    block->file_size_bytes)
		return -EBADMSG;
	if ((checksum = checksum_new()) == NULL)
		return -ENOMEM;
	checksum_add(checksum, block->text, block->length - ENVELOPE_SEAL_SIZE);
	checksum_add(checksum, block->text + block->length,
	    block->notes_length);
	r = add_content_to_checksum(message, checksum);
	if (r == 0 && checksum_value(checksum) != block->seal.checksum)
		r = -EBADMSG;
	checksum_free(checksum);
	return r;
}

static int
open_message(int fd, bool is_verified, struct message *ret_message)
{
	struct block block;
	int r;

	*ret_message = (struct message){ .fd = fd };
	r = read_block(ret_message, &block);
	if (r == 0 && is_verified)
		r = verify_seal(ret_message, &block);
	free(block.text);
	if (r < 0)
		envelope_clear(&ret_message->envelope);
	return r;
}

int
message_open(int fd, struct message *ret_message)
{
	return open_message(fd, false, ret_message);
}

int
message_open_whole(int fd, struct message *ret_message)
{
	return open_message(fd, true, ret_message);
}

void
message_close(struct message *message)
{
	envelope_clear(&message->envelope);
	close(message->fd);
}

ssize_t
message_read(const struct message *message, void *ret_data, size_t size_bytes,
    uint64_t offset)
{
	uint64_t rest = offset < message->content_size_bytes
	    ? message->content_size_bytes - offset
	    : 0;

	if (size_bytes > rest)
		size_bytes = (size_t)rest;
	return layout_read(message->fd, ret_data, size_bytes,
	    message->content_offset + offset);
}

ssize_t
message_read_start(const struct message *message, char *ret_data,
    size_t size_bytes)
{
	size_t used = 0;

	if (size_bytes > message->content_size_bytes)
		size_bytes = (size_t)message->content_size_bytes;
	while (used < size_bytes) {
		ssize_t n = message_read(message, ret_data + used,
		    size_bytes - used, used);

		if (n <= 0)
			return n < 0 ? n : -EIO;
		used += (size_t)n;
	}
	return (ssize_t)used;
}
