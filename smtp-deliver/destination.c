/* SPDX-License-Identifier: ISC */

/*
 * destination.c - the jobs that wait, by where they are going.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "smtp-deliver/destination.h"

struct destination *
destination_get(struct destination_list *list, const char *name)
{
	struct destination *destination;

	TAILQ_FOREACH(destination, list, entries)
		if (strcmp(destination->name, name) == 0)
			return destination;
	if ((destination = calloc(1, sizeof(*destination))) == NULL)
		return NULL;
	if ((destination->name = strdup(name)) == NULL) {
		free(destination);
		return NULL;
	}
	TAILQ_INIT(&destination->jobs);
	TAILQ_INSERT_TAIL(list, destination, entries);
	return destination;
}

/* Whether the task has its job here: those of a new one are the last. */
static bool
has_job(const struct destination *destination, const struct task *task)
{
	const struct job *last = TAILQ_LAST(&destination->jobs, job_list);

	return last != NULL && last->task == task;
}

static bool
plan_job(struct destination_list *list, struct task *task, const char *name)
{
	struct destination *destination = destination_get(list, name);
	struct job *job;

	if (destination == NULL)
		return false;
	if (has_job(destination, task))
		return true;
	if (destination->job_count >= DESTINATION_JOBS_MAX ||
	    (job = task_new_job(task, name)) == NULL)
		return false;
	TAILQ_INSERT_TAIL(&destination->jobs, job, entries);
	destination->job_count++;
	return true;
}

void
destination_plan(struct destination_list *list, struct task *task)
{
	size_t count = task->claim->envelope.recipient_count;

	for (size_t i = 0; i < count; i++) {
		const char *name = task_destination(task, i);

		if (name != NULL && !plan_job(list, task, name))
			task->is_given_back = true;
	}
}

struct job *
destination_take_job(struct destination *destination)
{
	struct job *job = TAILQ_FIRST(&destination->jobs);

	if (job != NULL) {
		TAILQ_REMOVE(&destination->jobs, job, entries);
		destination->job_count--;
	}
	return job;
}

void
destination_forget(struct destination_list *list,
    struct destination *destination)
{
	if (destination->has_worker || !TAILQ_EMPTY(&destination->jobs))
		return;
	TAILQ_REMOVE(list, destination, entries);
	free(destination->name);
	free(destination);
}
