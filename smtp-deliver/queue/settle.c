/* SPDX-License-Identifier: ISC */

/*
 * settle.c - move a message on when its attempt is over.
 *
 * Puts on record what became of its recipients, expires it, notifies its sender,
 * and moves it to where it belongs then, in this order (promise P2).
 */

#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/queue/backoff.h"
#include "smtp-deliver/queue/record.h"
#include "smtp-deliver/queue/settle.h"

/* ---- recipients ----------------------------------------------------------- */

static bool
is_delivered(struct recipient_state state)
{
	return state.outcome == OUTCOME_DELIVERED && state.told != TOLD_OWED;
}

static bool
is_returned(struct recipient_state state)
{
	return state.outcome == OUTCOME_FAILED && state.told == TOLD_YES;
}

/* Whether there is nothing left to do for its recipients or its sender. */
static bool
is_done_with(const struct task *task)
{
	const struct recipient_state *states = task->claim->states;

	for (size_t i = 0; i < task_recipient_count(task); i++)
		if (!is_delivered(states[i]) && !is_returned(states[i]))
			return false;
	return true;
}

/* Its leaving the queue is record enough then. */
static bool
is_delivered_to_all(const struct task *task)
{
	for (size_t i = 0; i < task_recipient_count(task); i++)
		if (!is_delivered(task->claim->states[i]))
			return false;
	return true;
}

/* Whether a recipient has failed that the sender was not told of. */
static bool
has_failed(const struct task *task)
{
	const struct recipient_state *states = task->claim->states;

	for (size_t i = 0; i < task_recipient_count(task); i++)
		if (states[i].outcome == OUTCOME_FAILED &&
		    !is_returned(states[i]))
			return true;
	return false;
}

/* ---- expiry --------------------------------------------------------------- */

/* Whether the message has been tried for long enough, by itself or by others
 * that go where it goes. */
static bool
is_over(const struct task *task)
{
	unsigned attempts = task->claim->attempt;

	if (attempts < task->plan.attempts_elsewhere)
		attempts = task->plan.attempts_elsewhere;
	return task_count(task, OUTCOME_DEFERRED) > 0 &&
	    !task->plan.is_expiry_barred &&
	    is_expired(task_accepted_real_ms(task), clock_real_ms(), attempts,
		task_lifetime_days(task));
}

/* It has been tried for long enough: who is still deferred has failed. */
static void
expire(struct task *task)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	verdict_set(&verdict, OUTCOME_FAILED, BACKOFF_EXPIRED_STATUS,
	    "given up: not delivered within the time for it");
	for (size_t i = 0; i < task_recipient_count(task); i++)
		if (task->claim->states[i].outcome == OUTCOME_DEFERRED)
			record_verdict(task, i, &verdict);
}

/* ---- the sender ----------------------------------------------------------- */

/* Whether there is no room now, and there may be later. Other trouble may last,
 * and a message is not to be tried for ever because of it. */
static bool
is_want_of_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -ENOMEM ||
	    error == -EMFILE || error == -ENFILE;
}

/* Notify the sender of what calls for a notice. Returns whether that is done. */
static bool
notify(struct task *task, enum notice_kind kind)
{
	int r;

	if (!notify_is_due(task->claim, kind))
		return false;
	r = notify_sender(&task->means->notifier, task->claim, kind);
	if (r < 0) {
		task->is_notice_owed |= is_want_of_room(r);
		task_log_trouble(task,
		    is_want_of_room(r) ? "the sender cannot be told yet"
				       : "the sender cannot be told",
		    r);
		return false;
	}
	for (size_t i = 0; i < task_recipient_count(task); i++)
		if (notify_is_about(task->claim, i, kind))
			record_told(task, i);
	return true;
}

/* The sender is told before the message leaves the queue: a crash between the
 * two makes him hear of it twice, and not never. Of a delay he is told once. */
static void
notify_sender_of_all(struct task *task)
{
	struct claim *claim = task->claim;

	task->is_notice_owed = false;
	(void)notify(task, NOTICE_FAILED);
	(void)notify(task, NOTICE_RELAYED);
	if (!claim->is_delay_told && !task->plan.is_offline &&
	    is_late(task_accepted_real_ms(task), clock_real_ms(),
		task->means->notifier.settings->delay_notice_hours))
		claim->is_delay_told = notify(task, NOTICE_DELAYED);
}

/* ---- the queue ------------------------------------------------------------ */

/* The message has left the queue: everybody has it, or somebody never will. */
static void
log_done(const struct task *task, const char *how)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_MESSAGE_DONE,
	    .message = task->claim->message.envelope.id,
	    .recipients = (int64_t)task_recipient_count(task),
	    .reason = how,
	});
}

/* How the last of its recipients got done. */
static const char *
end_name(const struct task *task)
{
	if (has_failed(task))
		return "kept in queue/failed";
	if (task_count(task, OUTCOME_FAILED) > 0)
		return "returned to the sender";
	return "delivered to all";
}

static int
leave_queue(struct task *task)
{
	int r = has_failed(task)
	    ? queue_fail(task->means->queue, task->claim)
	    : queue_finish(task->means->queue, task->claim);

	if (r == 0)
		log_done(task, end_name(task));
	return r;
}

/* Where the message goes that was not tried, or not for all. */
static int
requeue(struct task *task)
{
	int r = record_write(task);

	if (r < 0 || !task->plan.is_deferred)
		return r;
	r = queue_defer(task->means->queue, task->claim,
	    task->plan.next_minute);
	return r == -ENOENT ? 0 : r;
}

int
settle_task(struct task *task)
{
	int r;

	if (task->open_jobs > 0)
		return record_write(task);
	if (task->is_given_back)
		return requeue(task);
	if (is_over(task))
		expire(task);
	if (!is_delivered_to_all(task) && (r = record_write(task)) < 0)
		return r;
	notify_sender_of_all(task);
	if (!is_done_with(task) && (r = record_write(task)) < 0)
		return r;
	if (task_count(task, OUTCOME_DEFERRED) > 0)
		r = queue_defer(task->means->queue, task->claim,
		    task->plan.next_minute);
	else if (task->is_notice_owed)
		r = queue_defer(task->means->queue, task->claim,
		    backoff_next_minute(clock_real_ms(), 1, arc4random()));
	else
		r = leave_queue(task);
	/* Somebody has removed it from its place by hand, or moved it: what is
	 * known of it must be on record then. */
	if (r == -ENOENT) {
		(void)record_write(task);
		return 0;
	}
	if (r < 0)
		task_log_trouble(task,
		    "the message keeps its place in the queue", r);
	return r;
}
