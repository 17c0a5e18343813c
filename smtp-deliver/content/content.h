/* SPDX-License-Identifier: ISC */

#ifndef CONTENT_H
#define CONTENT_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"
#include "lib/spool/message.h"

#define CONTENT_EDITS_MAX 32

/* Octets of a message that are replaced when it is sent. */
struct content_edit {
	uint64_t offset; /* within the message as it is stored */
	uint64_t length;
	char text[ADDRESS_SIZE];
};

/* A message as it is sent: what is stored, but for some edits, in order and
 * apart from each other. */
struct content {
	const struct message *message;
	size_t edit_count;
	struct content_edit edits[CONTENT_EDITS_MAX];
};

/* Where a message has octets outside ASCII. */
struct content_octets {
	bool in_header;
	bool in_body; /* also in headers of its parts */
};

/* Find out where what is sent has octets outside ASCII, as far as it can be
 * read. */
void content_find_octets(const struct content *content,
    struct content_octets *ret_octets);

/* Octets of what is sent. */
uint64_t content_size_bytes(const struct content *content);

/*
 * Read what is sent, from a position on, as pread(2) does: it may be less than
 * was asked for, and is 0 at the end, or where the file is too short.
 *
 * Returns how many octets, or a negative errno.
 */
ssize_t content_read(const struct content *content, uint64_t position,
    char *ret_data, size_t size);

#endif
