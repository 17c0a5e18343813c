/* SPDX-License-Identifier: ISC */

#ifndef RECORD_H
#define RECORD_H

#include "lib/spool/unreachable.h"
#include "smtp-deliver/queue/task.h"

/*
 * Write the verdicts of a job to the journal, count them, and add them to what
 * is to be put on record; record_final_verdicts(): only those that are final, of
 * a job that is not done. record_write() must follow before anything else
 * happens.
 *
 * earliest_minute	no attempt before then for who is deferred; 0: none
 */
void record_verdicts(struct task_job *job, int64_t earliest_minute);
void record_final_verdicts(struct task_job *job);

/*
 * A job was not tried, as its destination is throttled: defer its recipients,
 * for the reason that is remembered. Does not count as an attempt. The message
 * expires only if its destination was tried after the message's lifetime ended.
 *
 * minute	when to look at it again
 */
void record_throttled(struct task_job *job,
    const struct unreachable *unreachable, int64_t minute);

/* A job was not tried, as there was no network: nothing goes on record, and the
 * message does not expire. It is tried again soon. */
void record_offline(struct task_job *job);

/* One recipient's verdict; and that the sender has a DSN of its state. */
void record_verdict(struct task *task, size_t recipient,
    const struct verdict *verdict);
void record_told(struct task *task, size_t recipient);

/* Write what is to be on record. Until that has succeeded the message keeps its
 * place: nobody gets it twice. Returns 0 or a negative errno. */
int record_write(struct task *task);

#endif
