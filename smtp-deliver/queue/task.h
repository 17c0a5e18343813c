/* SPDX-License-Identifier: ISC */

#ifndef TASK_H
#define TASK_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/counters.h"
#include "lib/spool/queue.h"
#include "smtp-deliver/queue/notify.h"
#include "smtp-deliver/route/rules.h"
#include "smtp-deliver/worker/job.h"

/* What all tasks of a run share. */
struct task_means {
	struct spool *spool;
	struct queue *queue;
	struct counters *counters;
	struct notifier notifier;
	const struct rules *rules;
};

/* The destination of a recipient. */
struct task_destination {
	const char *name;
	char *own; /* the name, if it is neither the envelope's nor a rule's */
};

/* Lines that are to be put on record. */
struct unwritten {
	struct attempt *attempts;
	size_t count;
};

/* When the message is tried again, and whether it can expire now. */
struct task_plan {
	int64_t next_minute; /* the next attempt; 0: none was deferred */
	int64_t own_minute; /* by the message's own back-off; 0: not chosen */
	bool is_fruitful; /* it counts that this attempt delivered */
	bool is_deferred; /* a recipient was, in this attempt */
	bool is_offline; /* there was no network for a recipient */
	bool is_expiry_barred; /* a destination was not tried since the
				* message's lifetime ended */
	unsigned attempts_elsewhere; /* at a destination, by other messages */
};

/* A message that this run has claimed, until it moves on. */
struct task {
	TAILQ_ENTRY(task) entries;
	const struct task_means *means;
	struct claim *claim;
	struct task_destination *destinations; /* of its recipients */
	bool is_tls_optional; /* it waives TLS policies: tlsrequired.h */
	size_t open_jobs; /* of its destinations, not done yet */
	bool is_given_back; /* a destination was not tried */
	bool is_notice_owed; /* there was no room for it: try again */
	struct task_plan plan;
	struct unwritten unwritten;
};
TAILQ_HEAD(task_list, task);

/* A task's recipients at one destination. */
struct task_job {
	TAILQ_ENTRY(task_job) entries;
	struct task *task;
	bool is_returned; /* a worker too many had it before */
	struct job work;
};
TAILQ_HEAD(job_list, task_job);

/* Claim an entry of the queue. Returns what claim_open() returns, or
 * -ENOMEM. */
int task_open(const struct task_means *means, const struct queue_entry *entry,
    struct task **ret_task);

/* Release the message. All of its jobs must have been freed. */
void task_free(struct task *task);

/* Return the destination of a recipient, as nexthop_format() names it; NULL if
 * the recipient is done. */
const char *task_destination(const struct task *task, size_t recipient);

/* Make a job of all open recipients at a destination. Returns NULL without
 * memory. */
struct task_job *task_new_job(struct task *task, const char *destination);
void task_job_free(struct task_job *job);

/* Whether an administrator has moved the message back to queue/new, to have it
 * tried at once. */
bool task_is_urged(const struct task *task);

size_t task_recipient_count(const struct task *task);

/* Count the recipients with an outcome. */
size_t task_count(const struct task *task, enum outcome outcome);

int64_t task_accepted_real_ms(const struct task *task);
int task_lifetime_days(const struct task *task);

void task_log_trouble(const struct task *task, const char *what, int error);

#endif
