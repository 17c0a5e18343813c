/* SPDX-License-Identifier: ISC */

/*
 * task.c - a message in the course of one attempt.
 *
 * Claims it, finds its destinations, and makes a job for each of them. What
 * becomes of the jobs is up to record.c and settle.c.
 */

#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/content/tlsrequired.h"
#include "smtp-deliver/queue/backoff.h"
#include "smtp-deliver/queue/task.h"

#define HEADER_MAX 65536 /* octets that are looked at */

/* Whether the message's header says that TLS is optional. Ignored with
 * REQUIRETLS (RFC 8689 section 4.1), and after the first HEADER_MAX octets. */
static bool
is_tls_waived(const struct claim *claim)
{
	char *text;
	ssize_t n;
	bool is_waived;

	if (claim->message.envelope.is_requiretls ||
	    (text = malloc(HEADER_MAX)) == NULL)
		return false;
	n = message_read_start(&claim->message, text, HEADER_MAX);
	is_waived = n > 0 && tlsrequired_is_no(text, (size_t)n);
	free(text);
	return is_waived;
}

/* Find a recipient's destination. Copy its name only if need be: there may be
 * many recipients, and relays with long names. */
static int
find_destination(const struct task *task, size_t recipient)
{
	const struct envelope *envelope = &task->claim->message.envelope;
	const char *address = envelope->recipients[recipient];
	struct task_destination *destination = &task->destinations[recipient];
	const struct rule *rule =
	    rules_find(task->means->rules, envelope->sender, address);
	char name[NEXTHOP_SIZE];

	rules_name_destination(rule, address, name);
	if (strcmp(name, rule->nexthop) == 0)
		destination->name = rule->nexthop;
	else if (strcmp(name, address_domain(address)) == 0)
		destination->name = address_domain(address);
	else
		destination->name = destination->own = strdup(name);
	return destination->name != NULL ? 0 : -ENOMEM;
}

/* Find the destinations. The rules stay the same during a run. */
static int
find_destinations(struct task *task)
{
	size_t count = task->claim->message.envelope.recipient_count;
	int r = 0;

	task->destinations = calloc(count, sizeof(*task->destinations));
	if (task->destinations == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count && r == 0; i++)
		r = find_destination(task, i);
	return r;
}

int
task_open(const struct task_means *means, const struct queue_entry *entry,
    struct task **ret_task)
{
	struct task *task = calloc(1, sizeof(*task));
	int r;

	if (task == NULL)
		return -ENOMEM;
	if ((r = claim_open(means->spool, entry, &task->claim)) < 0) {
		free(task);
		return r;
	}
	task->means = means;
	if ((r = find_destinations(task)) < 0) {
		task_free(task);
		return r;
	}
	r = queue_confirm(means->queue, task->claim,
	    backoff_next_minute(clock_real_ms(), task->claim->attempt,
		arc4random()));
	if (r < 0) {
		task_free(task);
		return r;
	}
	task->is_tls_optional = is_tls_waived(task->claim);
	*ret_task = task;
	return 0;
}

void
task_free(struct task *task)
{
	if (task->destinations != NULL)
		for (size_t i = 0;
		     i < task->claim->message.envelope.recipient_count; i++)
			free(task->destinations[i].own);
	free(task->destinations);
	claim_release(task->claim);
	free(task->unwritten.attempts);
	free(task);
}

const char *
task_destination(const struct task *task, size_t recipient)
{
	if (is_final(task->claim->states[recipient].outcome))
		return NULL;
	return task->destinations[recipient].name;
}

static bool
is_open_at(const struct task *task, size_t recipient, const char *destination)
{
	const char *name = task_destination(task, recipient);

	return name != NULL && strcmp(name, destination) == 0;
}

struct task_job *
task_new_job(struct task *task, const char *destination)
{
	size_t total = task->claim->message.envelope.recipient_count;
	struct task_job *job = calloc(1, sizeof(*job));
	size_t count = 0;

	if (job == NULL)
		return NULL;
	for (size_t i = 0; i < total; i++)
		count += is_open_at(task, i, destination);
	assert(count > 0);
	if (job_init(&job->work, &task->claim->message, count) < 0) {
		free(job);
		return NULL;
	}
	count = 0;
	for (size_t i = 0; i < total; i++)
		if (is_open_at(task, i, destination))
			job->work.recipients[count++] = i;
	job->task = task;
	task->open_jobs++;
	return job;
}

void
task_job_free(struct task_job *job)
{
	job_clear(&job->work);
	free(job);
}

bool
task_is_urged(const struct task *task)
{
	return task->claim->entry.place == QUEUE_NEW &&
	    task_count(task, OUTCOME_DEFERRED) > 0;
}

size_t
task_recipient_count(const struct task *task)
{
	return task->claim->message.envelope.recipient_count;
}

size_t
task_count(const struct task *task, enum outcome outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < task_recipient_count(task); i++)
		count += task->claim->states[i].outcome == outcome;
	return count;
}

int64_t
task_accepted_real_ms(const struct task *task)
{
	return id_real_ms(task->claim->message.envelope.id);
}

int
task_lifetime_days(const struct task *task)
{
	return task->means->notifier.settings->queue_lifetime_days;
}

void
task_log_trouble(const struct task *task, const char *what, int error)
{
	struct audit_record about = {
		.message = task->claim->message.envelope.id,
		.submitter = &task->claim->message.envelope.submitter,
	};

	audit_write_trouble(&about, what, error);
}
