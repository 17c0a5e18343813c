/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_QUEUE_H
#define SPOOL_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/spool/claim.h"
#include "lib/spool/entry.h"
#include "lib/spool/spool.h"

/* The queue of a spool, which must stay open for as long. Functions return 0
 * or a negative errno if nothing else is said. */
struct queue;

int queue_open(struct spool *spool, struct queue **ret_queue);
void queue_close(struct queue *queue);

/*
 * Make sure of a claim before anything is done about its message. Where names
 * can be stale, another host may have settled it a moment ago: only a move
 * shows that, so the message moves at once to where a deferral would put it,
 * and falls due there if we die. Does nothing on file systems of one host.
 *
 * Returns 0, or -ENOENT if the message has left: release the claim then.
 */
int queue_confirm(struct queue *queue, struct claim *claim, int64_t minute);

/* Where a claimed message goes next: to be tried again not before a minute;
 * nowhere, everybody has it; or among those that failed. */
int queue_defer(struct queue *queue, struct claim *claim, int64_t minute);
int queue_finish(struct queue *queue, struct claim *claim);
int queue_fail(struct queue *queue, struct claim *claim);

/* Move an entry that is no message out of the queue. Nothing is deleted. */
int queue_set_aside(struct queue *queue, const struct queue_entry *entry);

/* Make durable what has left the queue or moved within it since the last
 * call; whether anything has. */
int queue_sync(struct queue *queue);
bool queue_is_dirty(const struct queue *queue);

/* A descriptor that becomes readable when a message enters the queue, or one of
 * its folders is removed; what can be read from it is to be thrown away. The
 * caller's, or a negative errno. */
int queue_watch(struct queue *queue);

#endif
