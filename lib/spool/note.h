/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_NOTE_H
#define SPOOL_NOTE_H

#include <sys/types.h>

#include "lib/spool/spool.h"

/* What is kept of destinations from one delivery to another, and is missed by
 * nobody if it is lost. */
enum note_kind {
	NOTE_POLICY, /* a domain's TLS policy */
	NOTE_UNREACHED, /* that it cannot be reached: unreached.h */
};

/* A note's place: a file that is named by a token of what it is about, not by
 * that itself (promise P6). */
struct note_place {
	int folder_fd; /* the caller's: to be closed */
	char name[TOKEN_SIZE];
};

/* Find the place for a note about a destination, or a domain. Returns 0 or a
 * negative errno. */
int note_open(struct spool *spool, enum note_kind kind, const char *about,
    struct note_place *ret_place);

/* Read what is kept there. Returns how many octets, or a negative errno:
 * -ENOENT nothing is, -EMSGSIZE more than size. */
ssize_t note_read(const struct note_place *place, void *buffer, size_t size);

/* Keep octets there in place of what was: whoever reads gets the one or the
 * other. Returns 0 or a negative errno. */
int note_write(const struct note_place *place, const void *data,
    size_t size_bytes);

/* Have nothing there any more. Returns 0, also where nothing was, or a negative
 * errno. */
int note_remove(const struct note_place *place);

/* How many there are of a kind. Returns 0 or a negative errno. */
int note_count(struct spool *spool, enum note_kind kind, uint64_t *ret_count);

#endif
