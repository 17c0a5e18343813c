/* SPDX-License-Identifier: ISC */

/*
 * task.c - a message in the course of one attempt.
 *
 * Splits it into jobs, one for each destination; puts on record what became of
 * them before anything else happens (promise P2); moves the message to where
 * it belongs then. Knows nothing of how a job is done.
 */

#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/queue/backoff.h"
#include "smtp-deliver/queue/task.h"
#include "smtp-deliver/content/tlsrequired.h"

#define HEADER_MAX 65536 /* octets that are looked at */

static const enum audit_event outcome_events[] = {
	[OUTCOME_DELIVERED] = AUDIT_DELIVERED,
	[OUTCOME_DEFERRED] = AUDIT_DEFERRED,
	[OUTCOME_FAILED] = AUDIT_FAILED,
};

/* Whether the message's header says that TLS is optional. With REQUIRETLS that
 * counts for nothing (RFC 8689 section 4.1), nor does what comes very late. */
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

/* Find where one recipient's mail goes. What need not be copied is not: there
 * may be many recipients, and relays in many words. */
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

/* Find where it goes; the rules stay the same for as long as a run. */
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
	free(task->unwritten);
	free(task);
}

const char *
task_destination(const struct task *task, size_t recipient)
{
	if (is_final(task->claim->outcomes[recipient]))
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

static void
log_trouble(const struct task *task, const char *what, int error)
{
	char reason[256];

	(void)snprintf(reason, sizeof(reason), "%s: %s", what,
	    strerror(-error));
	audit_write(&(struct audit_record){
	    .event = AUDIT_TROUBLE,
	    .message = task->claim->message.envelope.id,
	    .reason = reason,
	});
}

static const char *
text_or_null(const char *text)
{
	return *text != '\0' ? text : NULL;
}

static void
log_verdict(const struct task *task, size_t recipient,
    const struct verdict *verdict)
{
	const char *address =
	    task->claim->message.envelope.recipients[recipient];
	char token[TOKEN_SIZE], next[CLOCK_DATE_SIZE];
	struct audit_record record = {
		.event = outcome_events[verdict->outcome],
		.message = task->claim->message.envelope.id,
		.address = address,
		.host = text_or_null(verdict->host),
		.policy = text_or_null(verdict->policy),
		.tls = text_or_null(verdict->tls),
		.fingerprint = text_or_null(verdict->fingerprint),
		.status = verdict->status,
		.reply = text_or_null(verdict->reply),
		.reason = text_or_null(verdict->reason),
		.attempt = task->claim->attempt,
		.requiretls =
		    task->claim->message.envelope.is_requiretls ? "yes" : NULL,
		.is_signed = verdict->is_signed != 0 ? "yes" : NULL,
	};

	if (spool_token(task->means->spool, address, token) == 0)
		record.recipient = token;
	if (verdict->outcome == OUTCOME_DEFERRED) {
		clock_format_date(task->next_minute * 60000, next);
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

static size_t
count_outcomes(const struct task *task, enum outcome outcome)
{
	const struct claim *claim = task->claim;
	size_t count = 0;

	for (size_t i = 0; i < claim->message.envelope.recipient_count; i++)
		count += claim->outcomes[i] == outcome;
	return count;
}

/* Whether there is nothing left to do for its recipients or its sender. */
static bool
is_done_with(const struct task *task)
{
	return count_outcomes(task, OUTCOME_DELIVERED) +
	    count_outcomes(task, OUTCOME_RETURNED) ==
	    task->claim->message.envelope.recipient_count;
}

/* Its leaving the queue is record enough then. */
static bool
is_delivered_to_all(const struct task *task)
{
	return count_outcomes(task, OUTCOME_DELIVERED) ==
	    task->claim->message.envelope.recipient_count;
}

static int64_t
accepted_ms(const struct task *task)
{
	return id_real_ms(task->claim->message.envelope.id);
}

static int
lifetime_days(const struct task *task)
{
	return task->means->notifier.settings->queue_lifetime_days;
}

static void
fill_attempt(const struct verdict *verdict, size_t recipient,
    struct attempt *ret_attempt)
{
	*ret_attempt = (struct attempt){
		.recipient = recipient,
		.outcome = verdict->outcome,
	};
	(void)strlcpy(ret_attempt->status, verdict->status,
	    sizeof(ret_attempt->status));
	attempt_set_detail(ret_attempt, verdict->host, verdict->reason,
	    verdict->reply);
}

/* Write what is to be on record. Until that has succeeded the message keeps its
 * place: who has been delivered to is not to get it again. */
static int
write_record(struct task *task)
{
	int r;

	if (task->unwritten_count == 0)
		return 0;
	r = claim_record(task->claim, task->unwritten, task->unwritten_count);
	if (r < 0) {
		log_trouble(task, "what became of recipients is not on record",
		    r);
		return r;
	}
	task->unwritten_count = 0;
	return 0;
}

/* Have a verdict put on record. Returns 0 or -ENOMEM. */
static int
add_to_record(struct task *task, size_t recipient,
    const struct verdict *verdict)
{
	struct attempt *larger = reallocarray(task->unwritten,
	    task->unwritten_count + 1, sizeof(*larger));

	if (larger == NULL)
		return -ENOMEM;
	task->unwritten = larger;
	fill_attempt(verdict, recipient, &larger[task->unwritten_count++]);
	return 0;
}

static void
record_verdict(struct task *task, size_t recipient,
    const struct verdict *verdict)
{
	struct verdict on_record = *verdict;
	int r;

	if (verdict_is_good(verdict) && !verdict->is_told_on &&
	    notify_is_wanted(task->claim, recipient, NOTICE_RELAYED))
		on_record.outcome = OUTCOME_RELAYED;
	if ((r = add_to_record(task, recipient, &on_record)) < 0)
		log_trouble(task, "what became of a recipient is forgotten", r);
	task->claim->outcomes[recipient] = on_record.outcome;
	log_verdict(task, recipient, verdict);
}

/* The message is to be looked at again in that minute, if not before. */
static void
plan(struct task *task, int64_t minute)
{
	if (task->next_minute == 0 || minute < task->next_minute)
		task->next_minute = minute;
}

/* The wait for the next attempt begins with the first that this one finds out.
 */
static int64_t
own_minute(struct task *task)
{
	if (task->own_minute == 0)
		task->own_minute = backoff_next_minute(clock_real_ms(),
		    task->claim->attempt, arc4random());
	return task->own_minute;
}

/* Those that are on record already were judged before. */
static void
judge(struct task_job *job, size_t i)
{
	struct task *task = job->task;
	const struct verdict *verdict = &job->work.verdicts[i];

	if (is_final(task->claim->outcomes[job->work.recipients[i]]))
		return;
	task->is_deferred |= verdict->outcome == OUTCOME_DEFERRED;
	record_verdict(task, job->work.recipients[i], verdict);
	count_verdict(task, verdict);
}

void
task_judge(struct task_job *job, int64_t earliest)
{
	struct task *task = job->task;
	int64_t minute = own_minute(task);

	plan(task, minute > earliest ? minute : earliest);
	for (size_t i = 0; i < job->work.recipient_count; i++)
		if (job->work.verdicts[i].outcome != OUTCOME_NONE)
			judge(job, i);
}

void
task_judge_final(struct task_job *job)
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

/* Of who was never tried the reason goes on record once, for notices. */
static void
note_untried(struct task *task, size_t recipient, const struct verdict *verdict)
{
	if (task->claim->outcomes[recipient] != OUTCOME_NONE)
		return;
	if (add_to_record(task, recipient, verdict) == 0)
		task->unwritten[task->unwritten_count - 1].is_untried = true;
	task->claim->outcomes[recipient] = OUTCOME_DEFERRED;
}

void
task_pass_by(struct task_job *job, const struct unreachable *unreachable,
    int64_t minute)
{
	struct task *task = job->task;
	struct verdict verdict;

	plan(task, minute);
	task->is_deferred = true;
	if (unreachable->last.number > task->remembered_attempts)
		task->remembered_attempts = unreachable->last.number;
	task->is_unsure |= unreachable->last.time_ms <=
	    backoff_expiry_ms(accepted_ms(task), lifetime_days(task));
	fill_verdict(&unreachable->last, &verdict);
	for (size_t i = 0; i < job->work.recipient_count; i++) {
		note_untried(task, job->work.recipients[i], &verdict);
		log_verdict(task, job->work.recipients[i], &verdict);
	}
}

void
task_leave(struct task_job *job)
{
	struct task *task = job->task;
	enum outcome *outcomes = task->claim->outcomes;

	plan(task, backoff_soon_minute(clock_real_ms(), arc4random()));
	task->is_left = task->is_unsure = task->is_deferred = true;
	/* Not on record: whoever claims it next knows no more than we did. */
	for (size_t i = 0; i < job->work.recipient_count; i++)
		if (!is_final(outcomes[job->work.recipients[i]]))
			outcomes[job->work.recipients[i]] = OUTCOME_DEFERRED;
}

bool
task_is_urged(const struct task *task)
{
	return task->claim->entry.place == QUEUE_NEW &&
	    count_outcomes(task, OUTCOME_DEFERRED) > 0;
}

/* Whether the message has been tried for long enough, by itself or by others
 * that go where it goes. */
static bool
is_over(const struct task *task)
{
	unsigned attempts = task->claim->attempt;

	if (attempts < task->remembered_attempts)
		attempts = task->remembered_attempts;
	return count_outcomes(task, OUTCOME_DEFERRED) > 0 && !task->is_unsure &&
	    is_expired(accepted_ms(task), clock_real_ms(), attempts,
		lifetime_days(task));
}

/* It has been tried for long enough: who is still deferred has failed. */
static void
expire(struct task *task)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	verdict_set(&verdict, OUTCOME_FAILED, BACKOFF_EXPIRED_STATUS,
	    "given up: not delivered within the time for it");
	for (size_t i = 0; i < task->claim->message.envelope.recipient_count;
	     i++)
		if (task->claim->outcomes[i] == OUTCOME_DEFERRED)
			record_verdict(task, i, &verdict);
}

/* The message has left the queue: everybody has it, or somebody never will. */
static void
log_done(const struct task *task, const char *how)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_MESSAGE_DONE,
	    .message = task->claim->message.envelope.id,
	    .recipients =
		(int64_t)task->claim->message.envelope.recipient_count,
	    .reason = how,
	});
}

/* Have it put on record that the sender knows, should the message stay. */
static void
note_told(struct task *task, enum notice_kind kind, enum outcome of,
    enum outcome told)
{
	struct verdict verdict = { .outcome = told };

	(void)strlcpy(verdict.status, "2.0.0", sizeof(verdict.status));
	for (size_t i = 0; i < task->claim->message.envelope.recipient_count;
	     i++) {
		if (task->claim->outcomes[i] != of ||
		    !notify_is_wanted(task->claim, i, kind))
			continue;
		if (told != OUTCOME_DELAYED)
			task->claim->outcomes[i] = told;
		if (add_to_record(task, i, &verdict) < 0)
			log_trouble(task, "that a sender was told is forgotten",
			    -ENOMEM);
	}
}

static bool
is_anybody_to_be_told_of(const struct task *task, enum notice_kind kind,
    enum outcome of)
{
	for (size_t i = 0; i < task->claim->message.envelope.recipient_count;
	     i++)
		if (task->claim->outcomes[i] == of &&
		    notify_is_wanted(task->claim, i, kind))
			return true;
	return false;
}

/* Whether there is no room now, and there may be later. Other trouble may last,
 * and a message is not to be tried for ever because of it. */
static bool
is_want_of_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -ENOMEM ||
	    error == -EMFILE || error == -ENFILE;
}

/* Returns whether the sender has been told of the recipients with an outcome. */
static bool
tell(struct task *task, enum notice_kind kind, enum outcome of,
    enum outcome told)
{
	int r;

	if (!is_anybody_to_be_told_of(task, kind, of))
		return false;
	r = notify_sender(&task->means->notifier, task->claim, kind, of);
	if (r < 0) {
		task->is_notice_owed |= is_want_of_room(r);
		log_trouble(task,
		    is_want_of_room(r) ? "the sender cannot be told yet"
				       : "the sender cannot be told",
		    r);
		return false;
	}
	note_told(task, kind, of, told);
	return true;
}

/* The sender is told before the message leaves the queue: a crash between the
 * two makes him hear of it twice, and not never. Of a delay he is told once. */
static void
tell_sender(struct task *task)
{
	struct claim *claim = task->claim;

	task->is_notice_owed = false;
	(void)tell(task, NOTICE_FAILED, OUTCOME_FAILED, OUTCOME_RETURNED);
	(void)tell(task, NOTICE_RELAYED, OUTCOME_RELAYED, OUTCOME_DELIVERED);
	if (!claim->is_delay_told && !task->is_left &&
	    is_late(accepted_ms(task), clock_real_ms(),
		task->means->notifier.settings->delay_notice_hours))
		claim->is_delay_told = tell(task, NOTICE_DELAYED,
		    OUTCOME_DEFERRED, OUTCOME_DELAYED);
}

/* How the last of its recipients got done. */
static const char *
end_name(const struct task *task)
{
	if (count_outcomes(task, OUTCOME_FAILED) > 0)
		return "kept in queue/failed";
	if (count_outcomes(task, OUTCOME_RETURNED) > 0)
		return "returned to the sender";
	return "delivered to all";
}

static int
leave_queue(struct task *task)
{
	bool has_failed = count_outcomes(task, OUTCOME_FAILED) > 0;
	int r = has_failed ? queue_fail(task->means->queue, task->claim)
			   : queue_finish(task->means->queue, task->claim);

	if (r == 0)
		log_done(task, end_name(task));
	return r;
}

/* Where the message goes that was not tried, or not for all. */
static int
leave_for_later(struct task *task)
{
	int r = write_record(task);

	if (r < 0 || !task->is_deferred)
		return r;
	r = queue_defer(task->means->queue, task->claim, task->next_minute);
	return r == -ENOENT ? 0 : r;
}

int
task_settle(struct task *task)
{
	int r;

	if (task->open_jobs > 0)
		return write_record(task);
	if (task->is_given_back)
		return leave_for_later(task);
	if (is_over(task))
		expire(task);
	if (!is_delivered_to_all(task) && (r = write_record(task)) < 0)
		return r;
	tell_sender(task);
	if (!is_done_with(task) && (r = write_record(task)) < 0)
		return r;
	if (count_outcomes(task, OUTCOME_DEFERRED) > 0)
		r = queue_defer(task->means->queue, task->claim,
		    task->next_minute);
	else if (task->is_notice_owed)
		r = queue_defer(task->means->queue, task->claim,
		    backoff_next_minute(clock_real_ms(), 1, arc4random()));
	else
		r = leave_queue(task);
	/* Somebody has removed it from its place by hand, or moved it: what is
	 * known of it must be on record then. */
	if (r == -ENOENT) {
		(void)write_record(task);
		return 0;
	}
	if (r < 0)
		log_trouble(task, "the message keeps its place in the queue",
		    r);
	return r;
}
