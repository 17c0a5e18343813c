/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_DRAFT_H
#define SPOOL_DRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/spool/envelope.h"
#include "lib/spool/spool.h"

/*
 * A message on its way into the spool. Invisible before draft_commit(); without
 * that nothing of it stays.
 */
struct draft;

/*
 * Begin a message with its envelope, which must be complete.
 *
 * Returns 0 or a negative errno, such as the file system's -ENOSPC and -EDQUOT.
 */
int draft_begin(struct spool *spool, const struct envelope *envelope,
    struct draft **ret_draft);

/* Add octets of the message. Returns 0 or a negative errno, after which the
 * draft can only be freed. */
int draft_write(struct draft *draft, const void *data, size_t size_bytes);

/* The octets of the message so far. */
uint64_t draft_size(const struct draft *draft);

/*
 * Make the message durable (promise P1): when this returns 0 it survives a
 * power cut, under every recipient's name of today's folder and in the queue.
 * Otherwise a negative errno, and none of its names is left.
 *
 * The message is locked against delivery until draft_free().
 */
int draft_commit(struct draft *draft);

/* Free a draft, committed or not. Accepts NULL. */
void draft_free(struct draft *draft);

#endif
