/* SPDX-License-Identifier: ISC */

#ifndef INTAKE_H
#define INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/spool/scan.h"
#include "smtp-deliver/queue/task.h"

/*
 * Decides when the queue is scanned, and claims what is due. The caller asks as
 * long as it has room:
 *
 *	if (intake_is_due(&intake))
 *		intake_begin(&intake);
 *	while (intake_next(&intake, tasks, is_new_only, &task) > 0)
 *		...
 */
struct intake {
	const struct task_means *means;

	/* For intake.c alone. */
	struct scan *scan; /* NULL between scans */
	int64_t next_scan_mono_ms;
	int64_t locked_wait_ms;
	bool is_locked; /* an entry was locked by another process */
	bool is_troubled; /* an entry could not be read */
	bool is_overflowing; /* there was no room for all entries */
	bool is_again_due; /* scan again when this scan is done */
};

void intake_init(struct intake *intake, const struct task_means *means);
void intake_close(struct intake *intake);

/* Whether a new scan is due: once a minute at least. */
bool intake_is_due(const struct intake *intake);

/* Begin a scan. Returns 0 or a negative errno. */
int intake_begin(struct intake *intake);

/*
 * Claim the next message that is due.
 *
 * tasks	the caller's: these messages are skipped.
 * is_new_only	skip retries.
 *
 * Returns 1 with a task that the caller owns, 0 if nothing more is due now, or
 * a negative errno if the queue cannot be read.
 */
int intake_next(struct intake *intake, const struct task_list *tasks,
    bool is_new_only, struct task **ret_task);

/* Note that a message stays in the queue although it is due, without room for
 * it; whether that happened since the last scan began. */
void intake_note_overflow(struct intake *intake);
bool intake_is_overflowing(const struct intake *intake);

/* Scan again soon: there is room, or new mail. */
void intake_look_again(struct intake *intake);

/* Begin no scan before then: the queue cannot be read. */
void intake_wait(struct intake *intake, int64_t until_mono_ms);

/* Return when intake_is_due(); INT64_MAX during a scan. */
int64_t intake_next_mono_ms(const struct intake *intake);

/* Whether the last scan is done and has claimed all that is due. */
bool intake_is_done(const struct intake *intake);

#endif
