/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_CHECKSUM_H
#define SPOOL_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* A running checksum (XXH3-64) that detects torn files, not forged ones.
 * checksum_free() accepts NULL. */
struct checksum;

struct checksum *checksum_new(void); /* NULL: out of memory */
void checksum_add(struct checksum *checksum, const void *data,
    size_t size_bytes);
uint64_t checksum_value(const struct checksum *checksum);
void checksum_free(struct checksum *checksum);

#endif
