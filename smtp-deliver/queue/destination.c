/* SPDX-License-Identifier: ISC */

/*
 * destination.c - the jobs that wait, by where they are going.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "smtp-deliver/queue/destination.h"

#define CEILING_MS 300000

struct destination *
destination_get(struct destination_list *list, const char *name,
    bool is_tls_optional)
{
	struct destination *destination;

	TAILQ_FOREACH(destination, list, entries)
		if (destination->is_tls_optional == is_tls_optional &&
		    strcmp(destination->name, name) == 0)
			return destination;
	if ((destination = calloc(1, sizeof(*destination))) == NULL)
		return NULL;
	if ((destination->name = strdup(name)) == NULL) {
		free(destination);
		return NULL;
	}
	destination->is_tls_optional = is_tls_optional;
	destination->limit = 1;
	TAILQ_INIT(&destination->jobs);
	TAILQ_INSERT_TAIL(list, destination, entries);
	return destination;
}

/* Whether the task has its job here: a new task's jobs are the last. */
static bool
has_job(const struct destination *destination, const struct task *task)
{
	const struct task_job *last = TAILQ_LAST(&destination->jobs, job_list);

	return last != NULL && last->task == task;
}

/* Jobs of a throttled destination are deferred at once. */
static bool
is_full(const struct destination *destination)
{
	return destination->job_count >=
	    DESTINATION_JOBS * destination->limit &&
	    !destination->is_throttled;
}

static bool
plan_job(struct destination_list *list, struct task *task, const char *name)
{
	struct destination *destination =
	    destination_get(list, name, task->is_tls_optional);
	struct task_job *job;

	if (destination == NULL)
		return false;
	destination->is_urged |= task_is_urged(task);
	if (has_job(destination, task))
		return true;
	if (is_full(destination) || (job = task_new_job(task, name)) == NULL) {
		destination->is_overflowing = true;
		return false;
	}
	TAILQ_INSERT_TAIL(&destination->jobs, job, entries);
	destination->job_count++;
	return true;
}

void
destination_plan(struct destination_list *list, struct task *task)
{
	size_t count = task->claim->message.envelope.recipient_count;

	for (size_t i = 0; i < count; i++) {
		const char *name = task_destination(task, i);

		if (name != NULL && !plan_job(list, task, name))
			task->is_given_back = true;
	}
}

struct task_job *
destination_take_job(struct destination *destination)
{
	struct task_job *job = TAILQ_FIRST(&destination->jobs);

	if (job != NULL) {
		TAILQ_REMOVE(&destination->jobs, job, entries);
		destination->job_count--;
	}
	return job;
}

void
destination_return_job(struct destination *destination, struct task_job *job)
{
	for (size_t i = 0; i < job->work.recipient_count; i++)
		job->work.verdicts[i] =
		    (struct verdict){ .outcome = OUTCOME_NONE };
	TAILQ_INSERT_HEAD(&destination->jobs, job, entries);
	destination->job_count++;
}

bool
destination_wants_more(const struct destination *destination)
{
	return destination->is_overflowing &&
	    destination->job_count < DESTINATION_JOBS * destination->limit / 2;
}

void
destination_note_success(struct destination *destination, size_t most)
{
	if (destination->ceiling > 0 &&
	    clock_mono_ms() >= destination->ceiling_until_mono_ms)
		destination->ceiling = 0;
	if (destination->ceiling > 0 && destination->ceiling < most)
		most = destination->ceiling;
	if (destination->limit < most)
		destination->limit++;
}

void
destination_note_failure(struct destination *destination)
{
	size_t others =
	    destination->worker_count > 1 ? destination->worker_count - 1 : 1;

	destination->limit = destination->ceiling = others;
	destination->ceiling_until_mono_ms = clock_mono_ms() + CEILING_MS;
}

static bool
may_have_worker(const struct destination *destination)
{
	return !TAILQ_EMPTY(&destination->jobs) &&
	    destination->worker_count < destination->limit &&
	    !destination->is_throttled;
}

struct destination *
destination_choose(const struct destination_list *list)
{
	struct destination *destination, *chosen = NULL;

	TAILQ_FOREACH(destination, list, entries)
		if (may_have_worker(destination) &&
		    (chosen == NULL ||
			destination->worker_count < chosen->worker_count))
			chosen = destination;
	return chosen;
}

void
destination_move_last(struct destination_list *list,
    struct destination *destination)
{
	TAILQ_REMOVE(list, destination, entries);
	TAILQ_INSERT_TAIL(list, destination, entries);
}

static void
drop(struct destination_list *list, struct destination *destination)
{
	TAILQ_REMOVE(list, destination, entries);
	free(destination->name);
	free(destination);
}

void
destination_forget(struct destination_list *list,
    struct destination *destination)
{
	if (destination->worker_count == 0 && TAILQ_EMPTY(&destination->jobs) &&
	    !destination->is_throttled)
		drop(list, destination);
}

void
destination_clear(struct destination_list *list)
{
	struct destination *destination;

	while ((destination = TAILQ_FIRST(list)) != NULL)
		/* What was dropped is not in the list any more.
		 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		drop(list, destination);
}
