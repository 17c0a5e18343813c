/* SPDX-License-Identifier: ISC */

#ifndef DESTINATION_H
#define DESTINATION_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/spool/unreachable.h"
#include "smtp-deliver/queue/task.h"

/* Where messages are going, as task_destination() names it, and the jobs that
 * wait for a worker to take them there. */
struct destination {
	TAILQ_ENTRY(destination) entries;
	char *name;
	bool is_tls_optional; /* for messages that put TLS policies aside, and
			       * are not to share a connection with others */
	struct job_list jobs;
	size_t job_count;
	bool is_overflowing; /* there was no room for all that the queue has */
	size_t worker_count;
	size_t limit; /* of workers now, from 1 */
	size_t ceiling; /* more are not borne there; 0: not known */
	/* For throttle.c: */
	bool is_waiting; /* it is left alone now: no worker for it */
	bool is_urged; /* somebody has had its mail tried again at once */
	bool is_known; /* what is remembered was looked up */
	bool is_unreachable; /* and is here */
	struct unreachable unreachable;
	int64_t unusable_until_ms; /* or it answers, and is of no use: until
				    * then, on clock_mono_ms()'s clock, or 0 */
	struct verdict unusable; /* so */
	int64_t no_network_until_ms; /* or there is no way there, likewise */
	int64_t failed_ms; /* when this run tried it; on clock_mono_ms()'s
			    * clock, or 0 */
};
TAILQ_HEAD(destination_list, destination);

/* The destination of that name and kind, made if it is not in the list. NULL: no
 * memory. */
struct destination *destination_get(struct destination_list *list,
    const char *name, bool is_tls_optional);

/* So many jobs may wait at a destination for each worker that it may have: one
 * that gets nothing done is not to keep many of a run's tasks. */
#define DESTINATION_JOBS 20

/* Make the jobs of a new task, one for each of its destinations. Where there is
 * no room for one, the task is to be given back. */
void destination_plan(struct destination_list *list, struct task *task);

/* Take the job that has been waiting the longest. NULL: there is none. Or have
 * one wait again, before all others. */
struct task_job *destination_take_job(struct destination *destination);
void destination_return_job(struct destination *destination,
    struct task_job *job);

/* Whether it is overflowing, and has room for many of these. */
bool destination_wants_more(const struct destination *destination);

/*
 * How many workers a destination may have: one; one more with each success up
 * to the most; as many as there are besides it when one of them could not
 * connect.
 */
void destination_note_success(struct destination *destination, size_t most);
void destination_note_failure(struct destination *destination);

/* Who is to get the next worker: of those that may have one more, whoever has
 * the fewest and has waited the longest. NULL: nobody. */
struct destination *destination_choose(const struct destination_list *list);

/* It has had its turn: others come first. */
void destination_move_last(struct destination_list *list,
    struct destination *destination);

/* Forget a destination that nothing waits for and nothing is known of. */
void destination_forget(struct destination_list *list,
    struct destination *destination);

/* Forget all of them. No job may be left. */
void destination_clear(struct destination_list *list);

#endif
