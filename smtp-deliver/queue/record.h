/* SPDX-License-Identifier: ISC */

#ifndef RECORD_H
#define RECORD_H

#include "lib/spool/unreachable.h"
#include "smtp-deliver/queue/task.h"

/*
 * Log and count the verdicts of a job, and add them to the lines that
 * record_write() writes; it must follow before anything else happens.
 * record_final_verdicts() takes only final ones, of a job that is not done.
 *
 * earliest_minute	no attempt at deferred recipients before then; 0: any
 */
void record_verdicts(struct task_job *job, int64_t earliest_minute);
void record_final_verdicts(struct task_job *job);

/*
 * Defer a job that was not tried because its destination is unreachable, for
 * that reason. Does not count as an attempt. The message expires only if its
 * destination was tried after the message's lifetime ended.
 *
 * minute	of the next attempt
 */
void record_throttled(struct task_job *job,
    const struct unreachable *unreachable, int64_t minute);

/* Defer a job that was not tried without a network: nothing goes on record, the
 * message does not expire, and it is tried again soon. */
void record_offline(struct task_job *job);

/* Log and add one recipient's verdict; add that the sender has a DSN of it. */
void record_verdict(struct task *task, size_t recipient,
    const struct verdict *verdict);
void record_told(struct task *task, size_t recipient);

/* Write the lines that were added. Until that succeeds the message must keep
 * its place, or it could be delivered twice. Returns 0 or a negative errno. */
int record_write(struct task *task);

#endif
