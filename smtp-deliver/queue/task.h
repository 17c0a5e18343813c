/* SPDX-License-Identifier: ISC */

#ifndef TASK_H
#define TASK_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/counters.h"
#include "lib/spool/queue.h"
#include "lib/spool/unreachable.h"
#include "smtp-deliver/queue/notify.h"
#include "smtp-deliver/route/rules.h"
#include "smtp-deliver/worker/job.h"

/* What a task works with. */
struct task_means {
	struct spool *spool;
	struct queue *queue;
	struct counters *counters;
	struct notifier notifier;
	const struct rules *rules;
};

/* Where a recipient's mail goes. */
struct task_destination {
	const char *name;
	char *own; /* NULL: the name belongs to the envelope, or to a rule */
};

/* A message that this run has claimed, from then to where it goes next. */
struct task {
	TAILQ_ENTRY(task) entries;
	const struct task_means *means;
	struct claim *claim;
	struct task_destination *destinations; /* of its recipients */
	size_t open_jobs; /* destinations that have not answered yet */
	bool is_tls_optional; /* the TLS policies of domains are not to keep it
			       * from being delivered: tlsrequired.h */
	bool is_notice_owed; /* there was no room for one: try again */
	bool is_given_back; /* one was not tried */
	bool is_deferred; /* somebody was, in this attempt */
	int64_t
	    own_minute; /* of the message's own back-off, or 0: not chosen */
	int64_t next_minute; /* when to try again what is deferred, or 0 */
	unsigned remembered_attempts; /* that were made at a destination of its
				       * own, in place of its own */
	bool is_left; /* there was no network for somebody */
	bool is_unsure; /* somebody was not tried since its time is over */
	size_t unwritten_count; /* of what is to be put on record */
	struct attempt *unwritten;
};
TAILQ_HEAD(task_list, task);

/* A job of a task's: the recipients that it has at one destination. */
struct task_job {
	TAILQ_ENTRY(task_job) entries;
	struct task *task;
	struct job work;
};
TAILQ_HEAD(job_list, task_job);

/* Claim an entry. Returns what claim_open() returns, or -ENOMEM. */
int task_open(const struct task_means *means, const struct queue_entry *entry,
    struct task **ret_task);

/* Let go of the message. All of its jobs must have been freed. */
void task_free(struct task *task);

/* The destination of one of its recipients, as nexthop_format() names it; or NULL if
 * nothing more is to be done for that one. */
const char *task_destination(const struct task *task, size_t recipient);

/* Make a job of the task's for all of its open recipients at a destination. */
struct task_job *task_new_job(struct task *task, const char *destination);
void task_job_free(struct task_job *job);

/* Whether somebody has moved the message back among the new ones, to have it
 * tried again at once. */
bool task_is_urged(const struct task *task);

/*
 * Put the verdicts that a job has got into the audit trail, and count them; or
 * those alone that are final, of a job that others are still tried for. They
 * are to be on record before anything else happens: see task_settle().
 *
 * earliest	no attempt before that minute at who is deferred; 0: none
 */
void task_judge(struct task_job *job, int64_t earliest);
void task_judge_final(struct task_job *job);

/*
 * A job was not tried, as its destination is left alone: its recipients are
 * deferred, for the reason that is remembered. That is no attempt at the
 * message. It ends its time only if one was made since that was over.
 *
 * minute	when to look at it again
 */
void task_pass_by(struct task_job *job, const struct unreachable *unreachable,
    int64_t minute);

/* A job was not tried, for there was no network: nothing is said of it, and
 * nothing ends by it. The message is looked at again soon. */
void task_leave(struct task_job *job);

/*
 * Put what is known of the message on record. With no open jobs left it leaves
 * the queue, or its place in it. If it is given back it keeps that, unless
 * somebody was deferred, who is not to be tried anew at once.
 *
 * Returns 0, or a negative errno if that could not be written; the claim is to
 * be kept then, and this to be called again.
 */
int task_settle(struct task *task);

#endif
