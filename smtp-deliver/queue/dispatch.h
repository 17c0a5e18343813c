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
 * Messages on their way from the queue to workers, and what comes of them.
 * Times are on clock_mono_ms()'s clock; INT64_MAX: never.
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
	bool is_watched; /* somebody tells of new mail */
	bool is_offline; /* that there is no network was logged */
	size_t skipped_count; /* met without room since there was some */
	int64_t resume_mono_ms; /* with what there is no room for; 0: now */
	int64_t no_resolver_until_mono_ms; /* the DNS is out of reach */
	int64_t next_settle_mono_ms;
	int64_t next_start_mono_ms; /* of a worker, after trouble; 0: now */
};

/*
 * To begin with, and when all is over.
 *
 * pool		with its first members filled in.
 * task_max	how many messages there may be at a time.
 * is_watched	dispatch_look_again() tells of new mail.
 */
void dispatch_init(struct dispatch *dispatch, const struct task_means *means,
    const struct pool *pool, size_t task_max, bool is_watched);
void dispatch_close(struct dispatch *dispatch);

bool dispatch_has_tasks(const struct dispatch *dispatch);

/* Settle what could not be settled before, when it is time for that. */
void dispatch_settle(struct dispatch *dispatch);

/* Whether it is time to look through the queue from its beginning; do so. Returns
 * 0, or a negative errno if the queue cannot be read. */
bool dispatch_is_scan_due(const struct dispatch *dispatch);
int dispatch_begin_scan(struct dispatch *dispatch);

/* Claim what is due, as far as there is room. Returns 0 or a negative errno. */
int dispatch_claim(struct dispatch *dispatch);

/* There is room again for what stayed in the queue, or there is more in it. */
void dispatch_look_again(struct dispatch *dispatch);

/* Defer what waits for throttled destinations, and start workers for others. */
void dispatch_start_workers(struct dispatch *dispatch);

/* Act upon what workers have to tell: after pool_note_readable(). */
void dispatch_hear(struct dispatch *dispatch);

/* Give back all jobs but those that are being sent. Then let go of every
 * message, whether it is on record or not. */
void dispatch_wind_down(struct dispatch *dispatch);
void dispatch_abandon(struct dispatch *dispatch);

/* When there is something to do that no event tells of; and when to claim. */
int64_t dispatch_next_mono_ms(const struct dispatch *dispatch);
int64_t dispatch_next_claim_mono_ms(const struct dispatch *dispatch);

#endif
