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
 * what is claimed of it. The run says what there is room for.
 */
struct intake {
	const struct task_means *means;
	/* The queue is about to be looked through, which is done once a minute
	 * at the least. A negative errno keeps that from happening. */
	int (*begin)(void *context);
	/* Whether one more task can be taken. */
	bool (*has_room)(void *context);
	/* Whether retries are to stay where they are for now. */
	bool (*is_paused)(void *context);
	/* Whether a message is a task already. */
	bool (*has_task)(void *context, const char *id);
	/* A message was claimed: the task is the run's. */
	void (*take)(void *context, struct task *task);
	void *context;

	/* For intake.c alone. */
	struct scan *scan; /* NULL between two */
	int64_t next_scan_ms;
	int64_t locked_wait_ms;
	bool is_locked; /* it met entries that others hold for now */
	bool is_troubled; /* it met entries that could not be read */
	bool has_left_some; /* there was no room for all that it met */
	bool is_again_due; /* there is room for what this scan has left */
};

/* To begin with, with the members above filled in; and when all is over. */
void intake_open(struct intake *intake);
void intake_close(struct intake *intake);

/* Claim what is due, as far as there is room. Returns 0, or a negative errno:
 * the queue cannot be read, or what begin() has returned. */
int intake_claim(struct intake *intake);

/* Something that was met stays in the queue for want of room; whether that is
 * so since the queue was last looked through from its beginning. */
void intake_note_left(struct intake *intake);
bool intake_has_left_some(const struct intake *intake);

/* There is room again for what was left in the queue, or there is more in it. */
void intake_look_again(struct intake *intake);

/* The queue cannot be read: do not look before then, on clock_mono_ms()'s
 * clock. */
void intake_wait(struct intake *intake, int64_t until_ms);

/* When intake_claim() has something to do, on that clock: INT64_MAX if there
 * is no room or the queue is being looked through. */
int64_t intake_next_ms(const struct intake *intake);

/* Whether nothing is due that could be had now. */
bool intake_is_done(const struct intake *intake);

#endif
