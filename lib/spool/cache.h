/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_CACHE_H
#define SPOOL_CACHE_H

#include <sys/types.h>

#include "lib/spool/spool.h"

/* Facts about destinations that are kept between deliveries and may be lost. */
enum cache_kind {
	CACHE_POLICY, /* a domain's TLS policy */
	CACHE_UNREACHABLE, /* an unreachable destination: unreachable.h */
};

/* The place of an entry: a file named by the token of its subject, not by the
 * subject (promise P6). */
struct cache_place {
	int folder_fd; /* the caller closes it */
	char name[TOKEN_SIZE];
};

/* Find the place of an entry about a destination or a domain. Returns 0 or a
 * negative errno. */
int cache_open(struct spool *spool, enum cache_kind kind, const char *about,
    struct cache_place *ret_place);

/* Read an entry. Returns the number of octets, or a negative errno: -ENOENT no
 * entry, -EMSGSIZE more than size octets. */
ssize_t cache_read(const struct cache_place *place, void *buffer, size_t size);

/* Replace an entry, atomically for readers. Returns 0 or a negative errno. */
int cache_write(const struct cache_place *place, const void *data,
    size_t size_bytes);

/* Remove an entry. Returns 0, also if there was none, or a negative errno. */
int cache_remove(const struct cache_place *place);

/* Count the entries of a kind. Returns 0 or a negative errno. */
int cache_count(struct spool *spool, enum cache_kind kind, uint64_t *ret_count);

#endif
