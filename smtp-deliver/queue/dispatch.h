/* SPDX-License-Identifier: ISC */

#ifndef DISPATCH_H
#define DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp-deliver/queue/destination.h"
#include "smtp-deliver/queue/intake.h"
#include "smtp-deliver/queue/pool.h"
#include "smtp-deliver/queue/task.h"

/*
 * Brings messages from the queue to workers, and puts the results on record.
 * INT64_MAX as a time is never.
 */
struct dispatch {
	const struct task_means *means;
	struct intake intake;
	struct destination_list destinations;
	struct pool pool;

	/* For dispatch.c alone. */
	struct task_list tasks;
	size_t task_count;
	size_t task_max; /* each has a descriptor */
	bool is_watched; /* the caller reports new mail */
	bool is_offline; /* that was logged */
	size_t skipped_count; /* entries that there was no room for */
	int64_t resume_mono_ms; /* of claims; 0: now */
	int64_t no_resolver_until_mono_ms;
	int64_t next_settle_mono_ms;
	int64_t next_start_mono_ms; /* of a worker, after trouble; 0: now */
};

/*
 * pool		only the members that are not pool.c's alone.
 * task_max	how many messages may be claimed at a time.
 * is_watched	the caller calls dispatch_look_again() when new mail comes.
 */
void dispatch_init(struct dispatch *dispatch, const struct task_means *means,
    const struct pool *pool, size_t task_max, bool is_watched);
void dispatch_close(struct dispatch *dispatch);

bool dispatch_has_tasks(const struct dispatch *dispatch);

/* Settle messages that could not be settled before, when that is due. */
void dispatch_settle(struct dispatch *dispatch);

/* Whether a new scan of the queue is due; begin it. Returns 0 or a negative
 * errno. */
bool dispatch_is_scan_due(const struct dispatch *dispatch);
int dispatch_begin_scan(struct dispatch *dispatch);

/* Claim what is due, as far as there is room. Returns 0 or a negative errno. */
int dispatch_claim(struct dispatch *dispatch);

/* Scan the queue again soon: there is room, or new mail. */
void dispatch_look_again(struct dispatch *dispatch);

/* Defer the jobs of throttled destinations, and start workers for others. */
void dispatch_start_workers(struct dispatch *dispatch);

/* Handle all events of workers: after pool_note_readable(). */
void dispatch_hear(struct dispatch *dispatch);

/* Give back all jobs but those that are being sent. dispatch_abandon(): release
 * every message, whether it could be put on record or not. */
void dispatch_wind_down(struct dispatch *dispatch);
void dispatch_abandon(struct dispatch *dispatch);

/* Return when there is something to do without an event; when to claim. */
int64_t dispatch_next_mono_ms(const struct dispatch *dispatch);
int64_t dispatch_next_claim_mono_ms(const struct dispatch *dispatch);

#endif
