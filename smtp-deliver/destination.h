/* SPDX-License-Identifier: ISC */

#ifndef DESTINATION_H
#define DESTINATION_H

#include <sys/queue.h>

#include <stdbool.h>

#include "smtp-deliver/task.h"

/* Where messages are going, a domain or an address literal, and the jobs that
 * wait for a worker to take them there. */
struct destination {
	TAILQ_ENTRY(destination) entries;
	char *name;
	struct job_list jobs;
	size_t job_count;
	bool has_worker;
};
TAILQ_HEAD(destination_list, destination);

/* The destination of that name, made if it is not in the list. NULL: no
 * memory. */
struct destination *destination_get(struct destination_list *list,
    const char *name);

/* So many jobs may wait for one destination: a dead one is not to keep all of
 * a run's tasks. */
#define DESTINATION_JOBS_MAX 100

/* Make the jobs of a new task, one for each of its destinations. Where there is
 * no room for one, the task is to be given back. */
void destination_plan(struct destination_list *list, struct task *task);

/* Take the job that has been waiting the longest. NULL: there is none. */
struct job *destination_take_job(struct destination *destination);

/* Forget a destination that nothing waits for. */
void destination_forget(struct destination_list *list,
    struct destination *destination);

#endif
