/* SPDX-License-Identifier: ISC */

#ifndef INTAKE_H
#define INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/spool/scan.h"
#include "smtp-deliver/queue/task.h"

/*
 * The way of messages from the queue into a run: when it is looked through, and
 * what is claimed of it. The caller asks as long as it has room:
 *
 *	if (intake_is_due(&intake))
 *		intake_begin(&intake);
 *	while (intake_next(&intake, tasks, is_new_only, &task) > 0)
 *		...
 */
struct intake {
	const struct task_means *means;

	/* For intake.c alone. */
	struct scan *scan; /* NULL between two */
	int64_t next_scan_mono_ms;
	int64_t locked_wait_ms;
	bool is_locked; /* it met entries that others hold for now */
	bool is_troubled; /* it met entries that could not be read */
	bool is_overflowing; /* there was no room for all that it met */
	bool is_again_due; /* there is room for what this scan passed by */
};

void intake_init(struct intake *intake, const struct task_means *means);
void intake_close(struct intake *intake);

/* Whether the queue is to be looked through from its beginning, which is done
 * once a minute at the least. */
bool intake_is_due(const struct intake *intake);

/* Begin to look through the queue. Returns 0 or a negative errno. */
int intake_begin(struct intake *intake);

/*
 * Claim the next message that is due.
 *
 * tasks	messages that were claimed before are not claimed again.
 * is_new_only	leave retries where they are.
 *
 * Returns 1 with a task that the caller owns, 0 if nothing more is due now, or
 * a negative errno if the queue cannot be read.
 */
int intake_next(struct intake *intake, const struct task_list *tasks,
    bool is_new_only, struct task **ret_task);

/* A message that is due stays in the queue, as there is no room for it; whether
 * that is so since the queue was last looked through from its beginning. */
void intake_note_overflow(struct intake *intake);
bool intake_is_overflowing(const struct intake *intake);

/* There is room again for what stayed in the queue, or there is more in it. */
void intake_look_again(struct intake *intake);

/* The queue cannot be read: do not look before then, on clock_mono_ms()'s
 * clock. */
void intake_wait(struct intake *intake, int64_t until_mono_ms);

/* When intake_is_due(), on that clock; INT64_MAX while the queue is being looked
 * through. */
int64_t intake_next_mono_ms(const struct intake *intake);

/* Whether nothing is due that could be had now. */
bool intake_is_done(const struct intake *intake);

#endif
