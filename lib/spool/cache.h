/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_CACHE_H
#define SPOOL_CACHE_H

#include <sys/types.h>

#include "lib/spool/spool.h"

/* What is kept of destinations from one delivery to another, and is missed by
 * nobody if it is lost. */
enum cache_kind {
	CACHE_POLICY, /* a domain's TLS policy */
	CACHE_UNREACHABLE, /* that it cannot be reached: unreachable.h */
};

/* A note's place: a file that is named by a token of what it is about, not by
 * that itself (promise P6). */
struct cache_place {
	int folder_fd; /* the caller's: to be closed */
	char name[TOKEN_SIZE];
};

/* Find the place for a note about a destination, or a domain. Returns 0 or a
 * negative errno. */
int cache_open(struct spool *spool, enum cache_kind kind, const char *about,
    struct cache_place *ret_place);

/* Read what is kept there. Returns how many octets, or a negative errno:
 * -ENOENT nothing is, -EMSGSIZE more than size. */
ssize_t cache_read(const struct cache_place *place, void *buffer, size_t size);

/* Keep octets there in place of what was: whoever reads gets the one or the
 * other. Returns 0 or a negative errno. */
int cache_write(const struct cache_place *place, const void *data,
    size_t size_bytes);

/* Have nothing there any more. Returns 0, also where nothing was, or a negative
 * errno. */
int cache_remove(const struct cache_place *place);

/* How many there are of a kind. Returns 0 or a negative errno. */
int cache_count(struct spool *spool, enum cache_kind kind, uint64_t *ret_count);

#endif
