/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_QUEUE_H
#define SPOOL_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/spool/claim.h"
#include "lib/spool/entry.h"
#include "lib/spool/spool.h"

/* The queue of a spool, which must stay open meanwhile. Functions return 0 or a
 * negative errno unless stated otherwise. */
struct queue;

int queue_open(struct spool *spool, struct queue **ret_queue);
void queue_close(struct queue *queue);

/*
 * Confirm a claim before the first attempt at its message. Where names can be
 * stale, another host may have settled the message a moment ago. Only a move
 * shows that: move the message to where a deferral would put it, where it falls
 * due if we die. Does nothing on local file systems.
 *
 * Returns 0, or -ENOENT if the message has left: release the claim then.
 */
int queue_confirm(struct queue *queue, struct claim *claim, int64_t minute);

/* Move a claimed message on: retry it not before a minute; remove it, as no
 * recipient is left; or keep it among the failed ones. */
int queue_defer(struct queue *queue, struct claim *claim, int64_t minute);
int queue_finish(struct queue *queue, struct claim *claim);
int queue_fail(struct queue *queue, struct claim *claim);

/* Move an entry that is not a message out of the queue. Nothing is deleted. */
int queue_set_aside(struct queue *queue, const struct queue_entry *entry);

/* Make all moves within and out of the queue since the last call durable;
 * whether there were any. */
int queue_sync(struct queue *queue);
bool queue_is_dirty(const struct queue *queue);

/* Return a descriptor that becomes readable when a message enters the queue or
 * a folder of the queue is removed, or a negative errno. The descriptor is the
 * caller's, who discards what it reads from it. */
int queue_watch(struct queue *queue);

#endif
