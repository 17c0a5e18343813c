/* SPDX-License-Identifier: ISC */

/*
 * settle.c - move a message on when its attempt is over.
 *
 * Expires it, puts on record what became of its recipients, notifies its
 * sender, and moves it to its next place, in this order (promise P2).
 */

#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/queue/backoff.h"
#include "smtp-deliver/queue/record.h"
#include "smtp-deliver/queue/settle.h"

/* ---- recipients ---------------------------------------------------------- */

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

/* Whether the message is done for all recipients and its sender. */
static bool
is_done_with(const struct task *task)
{
	const struct recipient_state *states = task->claim->states;

	for (size_t i = 0; i < task_recipient_count(task); i++)
		if (!is_delivered(states[i]) && !is_returned(states[i]))
			return false;
	return true;
}

/* Whether the message may leave the queue without a record. */
static bool
is_delivered_to_all(const struct task *task)
{
	for (size_t i = 0; i < task_recipient_count(task); i++)
		if (!is_delivered(task->claim->states[i]))
			return false;
	return true;
}

/* Whether a recipient has failed without a DSN to the sender. */
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

/* ---- expiry -------------------------------------------------------------- */

/* Whether the message has expired, after its own attempts or those of others at
 * its destinations. */
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

/* The message has expired: fail the recipients that are still deferred. */
static void
expire(struct task *task)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	verdict_set(&verdict, OUTCOME_FAILED, BACKOFF_EXPIRED_STATUS,
	    "expired: not delivered within the message's lifetime");
	for (size_t i = 0; i < task_recipient_count(task); i++)
		if (task->claim->states[i].outcome == OUTCOME_DEFERRED)
			record_verdict(task, i, &verdict);
}

/* ---- the sender ---------------------------------------------------------- */

/* Whether there may be room later. Other trouble may last, and must not keep a
 * message in the queue for ever. */
static bool
is_lack_of_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -ENOMEM ||
	    error == -EMFILE || error == -ENFILE;
}

/* Send the notice of a kind if it is due. Returns whether it was sent. */
static bool
notify(struct task *task, enum notice_kind kind)
{
	int r;

	if (!notify_is_due(task->claim, kind))
		return false;
	r = notify_sender(&task->means->notifier, task->claim, kind);
	if (r < 0) {
		task->is_notice_owed |= is_lack_of_room(r);
		task_log_trouble(task,
		    is_lack_of_room(r) ? "cannot notify the sender yet"
				       : "cannot notify the sender",
		    r);
		return false;
	}
	for (size_t i = 0; i < task_recipient_count(task); i++)
		if (notify_is_about(task->claim, i, kind))
			record_told(task, i);
	return true;
}

/* Send a notice again with less, if that may help. */
static void
shorten_notice(struct task *task)
{
	int r;

	if (!notify_can_shorten(task->claim))
		return;
	r = notify_shorten(&task->means->notifier, task->claim);
	if (r == 0)
		record_told(task, 0);
	else if (r != -ENOENT) {
		task->is_notice_owed |= is_lack_of_room(r);
		task_log_trouble(task, "cannot shorten the notice", r);
	}
}

/* Notify the sender before the message leaves the queue: after a crash between
 * the two there is a second notice, not none. A delay notice is sent once. */
static void
notify_sender_of_all(struct task *task)
{
	struct claim *claim = task->claim;

	task->is_notice_owed = false;
	shorten_notice(task);
	(void)notify(task, NOTICE_FAILED);
	(void)notify(task, NOTICE_RELAYED);
	if (!claim->is_delay_told && !task->plan.is_offline &&
	    is_late(task_accepted_real_ms(task), clock_real_ms(),
		task->means->notifier.settings->delay_notice_hours))
		claim->is_delay_told = notify(task, NOTICE_DELAYED);
}

/* ---- the queue ----------------------------------------------------------- */

/* The message has left the queue. */
static void
log_done(const struct task *task, const char *how)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_MESSAGE_DONE,
	    .message = task->claim->message.envelope.id,
	    .submitter = &task->claim->message.envelope.submitter,
	    .recipients = (int64_t)task_recipient_count(task),
	    .reason = how,
	});
}

/* Return how the message ended. */
static const char *
end_name(const struct task *task)
{
	if (has_failed(task))
		return "kept in queue/failed";
	if (task_count(task, OUTCOME_FAILED) > 0)
		return *task->claim->message.envelope.sender != '\0'
		    ? "returned to the sender"
		    : "sent again with the header only";
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

/* Put a message back that was not tried for all recipients. */
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
	/* An administrator has removed or moved it: it needs its record. */
	if (r == -ENOENT) {
		(void)record_write(task);
		return 0;
	}
	if (r < 0)
		task_log_trouble(task,
		    "cannot move the message within the queue", r);
	return r;
}
