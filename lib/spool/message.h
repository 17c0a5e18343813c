/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_MESSAGE_H
#define SPOOL_MESSAGE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "lib/spool/envelope.h"

/*
 * A message of the spool, opened for reading: its envelope, and where the
 * content begins in the file. Needs only a descriptor of the spool, so a
 * process without access to the queue can have one.
 */
struct message {
	int fd; /* owned */
	struct envelope envelope;
	uint64_t content_offset; /* within the file */
	uint64_t content_size_bytes;
};

/*
 * Read the envelope of a message. message_open_whole() also reads the content
 * and compares both with the seal.
 *
 * fd	becomes the message's on success.
 *
 * Returns 0, -EBADMSG if that is no message, or not a whole one, or another
 * negative errno. ret_message need not be closed then.
 */
int message_open(int fd, struct message *ret_message);
int message_open_whole(int fd, struct message *ret_message);
void message_close(struct message *message);

/*
 * Read some of the content, as pread(2) does.
 *
 * offset	within the content.
 *
 * Returns how many octets, 0 at the end, or a negative errno.
 */
ssize_t message_read(const struct message *message, void *ret_data,
    size_t size_bytes, uint64_t offset);

/* Read the beginning of the content, up to size_bytes. Returns how many octets
 * that is, or a negative errno: -EIO if the file is shorter than it was. */
ssize_t message_read_start(const struct message *message, char *ret_data,
    size_t size_bytes);

#endif
