/* SPDX-License-Identifier: ISC */

#ifndef DESTINATION_H
#define DESTINATION_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/spool/unreachable.h"
#include "smtp-deliver/queue/task.h"

/* A destination, as task_destination() names it, and its jobs that wait for a
 * worker. */
struct destination {
	TAILQ_ENTRY(destination) entries;
	char *name;
	bool is_tls_optional; /* its messages waive TLS policies, and must not
			       * share a connection with others */
	struct job_list jobs;
	size_t job_count;
	bool is_overflowing; /* the queue has more than there is room for */
	size_t worker_count;
	size_t limit; /* of workers now, from 1 */
	size_t ceiling; /* of the limit: more could not connect; 0: none */
	int64_t ceiling_until_mono_ms;
	/* For throttle.c: */
	bool is_throttled; /* no worker now */
	bool is_urged; /* an administrator wants its mail tried at once */
	bool is_recalled; /* its state in the spool was read */
	bool is_unreachable; /* and is the next member */
	struct unreachable unreachable;
	int64_t unusable_until_mono_ms; /* 0: it is not unusable */
	struct verdict unusable; /* why */
	int64_t no_network_until_mono_ms; /* 0: there is a network */
	int64_t failed_mono_ms; /* this run's last attempt; 0: none failed */
};
TAILQ_HEAD(destination_list, destination);

/* Find the destination of that name and kind, or add it. Returns NULL without
 * memory. */
struct destination *destination_get(struct destination_list *list,
    const char *name, bool is_tls_optional);

/* How many jobs may wait at a destination for each worker of its limit, so that
 * a slow one does not keep many of a run's tasks. */
#define DESTINATION_JOBS 20

/* Make the jobs of a new task, one for each of its destinations. If a
 * destination has no room, the task becomes is_given_back. */
void destination_plan(struct destination_list *list, struct task *task);

/* Take the job that has waited longest, or NULL; put a job back in front of all
 * others, without its verdicts. */
struct task_job *destination_take_job(struct destination *destination);
void destination_return_job(struct destination *destination,
    struct task_job *job);

/* Whether it is overflowing, and has room for many more jobs. */
bool destination_wants_more(const struct destination *destination);

/*
 * Change how many workers a destination may have: one at first, one more with
 * each success up to the most. If one of several workers could not connect, its
 * limit and ceiling become the number of the others.
 */
void destination_note_success(struct destination *destination, size_t most);
void destination_note_failure(struct destination *destination);

/* Choose the destination that gets the next worker: of those that may have one
 * more, the one with the fewest; of these, the first in the list. NULL:
 * none. */
struct destination *destination_choose(const struct destination_list *list);

/* Move a destination to the end of the list: others come first. */
void destination_move_last(struct destination_list *list,
    struct destination *destination);

/* Free a destination without workers, jobs and throttle. */
void destination_forget(struct destination_list *list,
    struct destination *destination);

/* Free all of them. They must have no jobs. */
void destination_clear(struct destination_list *list);

#endif
