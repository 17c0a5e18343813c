/* SPDX-License-Identifier: ISC */

/*
 * checksum.c - XXH3-64, compiled in from xxhash.h: no library to load.
 */

#include "config.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/spool/checksum.h"

struct checksum {
	XXH3_state_t state;
};

struct checksum *
checksum_new(void)
{
	struct checksum *checksum =
	    aligned_alloc(_Alignof(struct checksum), sizeof(*checksum));

	if (checksum != NULL)
		(void)XXH3_64bits_reset(&checksum->state);
	return checksum;
}

void
checksum_add(struct checksum *checksum, const void *data, size_t size_bytes)
{
	(void)XXH3_64bits_update(&checksum->state, data, size_bytes);
}

uint64_t
checksum_value(const struct checksum *checksum)
{
	return XXH3_64bits_digest(&checksum->state);
}

void
checksum_free(struct checksum *checksum)
{
	free(checksum);
}
