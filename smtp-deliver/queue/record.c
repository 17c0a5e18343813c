/* SPDX-License-Identifier: ISC */

/*
 * record.c - log, count and record what became of recipients.
 *
 * A verdict becomes a line that record_write() appends to the message's attempt
 * file before anything else happens (promise P2).
 */

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "smtp-deliver/queue/backoff.h"
#include "smtp-deliver/queue/record.h"
#include "smtp-deliver/redact.h"

static const enum audit_event outcome_events[] = {
	[OUTCOME_DELIVERED] = AUDIT_DELIVERED,
	[OUTCOME_DEFERRED] = AUDIT_DEFERRED,
	[OUTCOME_FAILED] = AUDIT_FAILED,
};

/* Whether REQUIRETLS held for a delivery, or holds for later attempts. */
static bool
is_protected(const struct task *task, const struct verdict *verdict)
{
	return verdict_is_good(verdict)
	    ? verdict->is_requiretls != 0
	    : task->claim->message.envelope.is_requiretls;
}

static void
log_verdict(const struct task *task, size_t recipient,
    const struct verdict *verdict)
{
	const char *address =
	    task->claim->message.envelope.recipients[recipient];
	struct redact redact = {
		.spool = task->means->spool,
		.sender = task->claim->message.envelope.sender,
		.recipient = address,
	};
	char token[TOKEN_SIZE], next[CLOCK_DATE_SIZE];
	char reply[REDACT_SIZE], reason[REDACT_SIZE];
	struct audit_record record = {
		.event = outcome_events[verdict->outcome],
		.message = task->claim->message.envelope.id,
		.submitter = &task->claim->message.envelope.submitter,
		.address = address,
		.tls = text_or_null(verdict->tls),
		.attempt = task->claim->attempt,
		.requiretls = is_protected(task, verdict) ? "yes" : NULL,
		.is_signed = verdict->is_signed != 0 ? "yes" : NULL,
	};

	verdict_fill_record(verdict, &record);
	record.reply = redact_text(&redact, record.reply, reply);
	record.reason = redact_text(&redact, record.reason, reason);
	if (spool_token(task->means->spool, address, token) == 0)
		record.recipient = token;
	if (verdict->outcome == OUTCOME_DEFERRED) {
		clock_format_date(task->plan.next_minute * 60000, next);
		record.next = next;
	}
	audit_write(&record);
}

static void
count_verdict(const struct task *task, const struct verdict *verdict)
{
	counters_add(task->means->counters,
	    verdict->outcome == OUTCOME_DELIVERED ? COUNTER_MESSAGES_DELIVERED
						  : COUNTER_DELIVERY_FAILURES,
	    1);
}

/* ---- lines --------------------------------------------------------------- */

int
record_write(struct task *task)
{
	int r;

	if (task->unwritten.count == 0)
		return 0;
	r = claim_record(task->claim, task->unwritten.attempts,
	    task->unwritten.count);
	if (r < 0) {
		task_log_trouble(task,
		    "cannot record the results of deliveries", r);
		return r;
	}
	task->unwritten.count = 0;
	return 0;
}

static void
fill_attempt(const struct verdict *verdict, size_t recipient, enum told told,
    struct attempt *ret_attempt)
{
	*ret_attempt = (struct attempt){
		.recipient = recipient,
		.state = { .outcome = verdict->outcome, .told = told },
	};
	(void)strlcpy(ret_attempt->status, verdict->status,
	    sizeof(ret_attempt->status));
	attempt_set_detail(ret_attempt, verdict->host, verdict->reason,
	    verdict->reply);
}

/* Add a line. Returns it, or NULL if there is no memory. */
static struct attempt *
add_line(struct task *task, size_t recipient, const struct verdict *verdict,
    enum told told)
{
	struct unwritten *unwritten = &task->unwritten;
	struct attempt *larger = reallocarray(unwritten->attempts,
	    unwritten->count + 1, sizeof(*larger));

	if (larger == NULL)
		return NULL;
	unwritten->attempts = larger;
	fill_attempt(verdict, recipient, told, &larger[unwritten->count]);
	return &larger[unwritten->count++];
}

/* Whether the sender is owed a DSN of a delivery, which the host does not
 * send. */
static bool
is_relay_notice_owed(const struct task *task, size_t recipient,
    const struct verdict *verdict)
{
	return verdict_is_good(verdict) && !verdict->is_told_on &&
	    notify_is_wanted(task->claim, recipient, NOTICE_RELAYED);
}

void
record_verdict(struct task *task, size_t recipient,
    const struct verdict *verdict)
{
	enum told told = is_relay_notice_owed(task, recipient, verdict)
	    ? TOLD_OWED
	    : TOLD_NO;

	if (add_line(task, recipient, verdict, told) == NULL)
		task_log_trouble(task, "cannot record the result of a delivery",
		    -ENOMEM);
	task->claim->states[recipient] = (struct recipient_state){
		.outcome = verdict->outcome,
		.told = told,
	};
	log_verdict(task, recipient, verdict);
}

void
record_told(struct task *task, size_t recipient)
{
	struct recipient_state *state = &task->claim->states[recipient];
	struct verdict verdict = { .outcome = state->outcome };

	(void)strlcpy(verdict.status, "2.0.0", sizeof(verdict.status));
	/* A delay notice counts for the message: claim->is_delay_told. */
	if (state->outcome != OUTCOME_DEFERRED)
		state->told = TOLD_YES;
	if (add_line(task, recipient, &verdict, TOLD_YES) == NULL)
		task_log_trouble(task,
		    "cannot record that the sender was notified", -ENOMEM);
}

/* ---- jobs ---------------------------------------------------------------- */

/* Plan the next attempt in that minute, unless it is planned for before. */
static void
plan(struct task *task, int64_t minute)
{
	if (task->plan.next_minute == 0 || minute < task->plan.next_minute)
		task->plan.next_minute = minute;
}

static bool
has_delivery(const struct task_job *job)
{
	for (size_t i = 0; i < job->work.recipient_count; i++)
		if (verdict_is_good(&job->work.verdicts[i]))
			return true;
	return false;
}

/* The wait for the next attempt begins with the first result of this one. It
 * does not grow after attempts that delivered to somebody. */
static int64_t
own_minute(const struct task_job *job)
{
	struct task_plan *times = &job->task->plan;
	const struct claim *claim = job->task->claim;
	bool is_fruitful = has_delivery(job);

	if (times->own_minute == 0 || (is_fruitful && !times->is_fruitful))
		times->own_minute = backoff_next_minute(clock_real_ms(),
		    claim->attempt - claim->fruitful - is_fruitful,
		    arc4random());
	times->is_fruitful |= is_fruitful;
	return times->own_minute;
}

/* Record a verdict, unless a final one was recorded before. */
static void
judge(struct task_job *job, size_t i)
{
	struct task *task = job->task;
	const struct verdict *verdict = &job->work.verdicts[i];

	if (is_final(task->claim->states[job->work.recipients[i]].outcome))
		return;
	task->plan.is_deferred |= verdict->outcome == OUTCOME_DEFERRED;
	record_verdict(task, job->work.recipients[i], verdict);
	count_verdict(task, verdict);
}

void
record_verdicts(struct task_job *job, int64_t earliest_minute)
{
	struct task *task = job->task;
	int64_t minute = own_minute(job);

	plan(task, minute > earliest_minute ? minute : earliest_minute);
	for (size_t i = 0; i < job->work.recipient_count; i++)
		if (job->work.verdicts[i].outcome != OUTCOME_NONE)
			judge(job, i);
}

void
record_final_verdicts(struct task_job *job)
{
	for (size_t i = 0; i < job->work.recipient_count; i++)
		if (is_final(job->work.verdicts[i].outcome))
			judge(job, i);
}

static void
fill_verdict(const struct attempt *attempt, struct verdict *ret_verdict)
{
	struct attempt_detail detail;

	*ret_verdict = (struct verdict){ .outcome = OUTCOME_DEFERRED };
	attempt_get_detail(attempt, &detail);
	(void)strlcpy(ret_verdict->status, attempt->status,
	    sizeof(ret_verdict->status));
	(void)strlcpy(ret_verdict->host, detail.host,
	    sizeof(ret_verdict->host));
	(void)strlcpy(ret_verdict->reason, detail.reason,
	    sizeof(ret_verdict->reason));
	(void)strlcpy(ret_verdict->reply, detail.reply,
	    sizeof(ret_verdict->reply));
}

/* Record why a recipient was never tried, once, for notices. */
static void
note_untried(struct task *task, size_t recipient, const struct verdict *verdict)
{
	struct recipient_state *state = &task->claim->states[recipient];
	struct attempt *line;

	if (state->outcome != OUTCOME_NONE)
		return;
	if ((line = add_line(task, recipient, verdict, TOLD_NO)) != NULL)
		line->is_untried = true;
	state->outcome = OUTCOME_DEFERRED;
}

void
record_throttled(struct task_job *job, const struct unreachable *unreachable,
    int64_t minute)
{
	struct task *task = job->task;
	struct verdict verdict;

	plan(task, minute);
	task->plan.is_deferred = true;
	if (unreachable->last.number > task->plan.attempts_elsewhere)
		task->plan.attempts_elsewhere = unreachable->last.number;
	task->plan.is_expiry_barred |= unreachable->last.time_real_ms <=
	    backoff_expiry_real_ms(task_accepted_real_ms(task),
		task_lifetime_days(task));
	fill_verdict(&unreachable->last, &verdict);
	for (size_t i = 0; i < job->work.recipient_count; i++) {
		note_untried(task, job->work.recipients[i], &verdict);
		log_verdict(task, job->work.recipients[i], &verdict);
	}
}

void
record_offline(struct task_job *job)
{
	struct task *task = job->task;

	plan(task, backoff_soon_minute(clock_real_ms(), arc4random()));
	task->plan.is_offline = task->plan.is_expiry_barred =
	    task->plan.is_deferred = true;
	/* Not on record: the next claim knows what this one knew. */
	for (size_t i = 0; i < job->work.recipient_count; i++) {
		struct recipient_state *state =
		    &task->claim->states[job->work.recipients[i]];

		if (!is_final(state->outcome))
			state->outcome = OUTCOME_DEFERRED;
	}
}
