/* SPDX-License-Identifier: ISC */

#ifndef LETTER_H
#define LETTER_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"

#define LETTER_EDITS_MAX 32

/* Octets of a message in whose place others are sent. */
struct letter_edit {
	uint64_t offset; /* within the message as it is stored */
	uint64_t length;
	char text[ADDRESS_SIZE];
};

/* A message as it is sent: what is stored, but for some edits, in order and
 * apart from each other. */
struct letter {
	int fd; /* the message is within this file; its offset is not used */
	uint64_t offset;
	uint64_t size_bytes; /* as it is stored */
	size_t edit_count;
	struct letter_edit edits[LETTER_EDITS_MAX];
};

/* Octets of what is sent. */
uint64_t letter_size(const struct letter *letter);

/*
 * Read what is sent, from a position on, as pread(2) does: it may be less than
 * was asked for, and is 0 at the end, or where the file is too short.
 *
 * Returns how many octets, or a negative errno.
 */
ssize_t letter_read(const struct letter *letter, uint64_t position,
    char *ret_data, size_t size);

#endif
