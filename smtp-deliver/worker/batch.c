/* SPDX-License-Identifier: ISC */

/*
 * batch.c - which recipients go into a transaction with a host.
 *
 * Hosts limit the recipients of a transaction, and say so in various ways: 452
 * or 552 (RFC 5321 section 4.5.3.1.10) or 550 to RCPT, 554 to DATA or to the
 * content. So a refusal of many at once fails none of them: a smaller batch is
 * tried, at last with one recipient.
 *
 * Pure.
 */

#include "config.h"

#include <string.h>

#include "smtp-deliver/worker/batch.h"

/* After so many refusals of lone recipients in a row the content is to blame,
 * and refusals of many count: it is not sent to each of a thousand. */
#define LONE_REFUSALS_MAX 2

/* A recipient refused as one too many is offered once more. */
#define TRIES_MAX 2

void
batch_begin(struct batch *batch, struct job *job, size_t limit)
{
	batch->job = job;
	batch->count = 0;
	batch->limit = batch->most = limit;
	batch->lone_refusals = 0;
	memset(batch->tries, 0, sizeof(batch->tries));
}

static bool
is_left(const struct batch *batch, size_t i)
{
	return batch->tries[i] < TRIES_MAX &&
	    !is_final(batch->job->verdicts[i].outcome);
}

bool
batch_next(struct batch *batch)
{
	batch->count = 0;
	for (size_t i = 0; i < batch->job->recipient_count; i++)
		if (is_left(batch, i) && batch->count < batch->most)
			batch->members[batch->count++] = i;
	return batch->count > 0;
}

bool
batch_has_more(const struct batch *batch)
{
	for (size_t i = 0; i < batch->job->recipient_count; i++)
		if (is_left(batch, i))
			return true;
	return false;
}

void
batch_list(const struct batch *batch, size_t *ret_recipients)
{
	for (size_t i = 0; i < batch->count; i++)
		ret_recipients[i] = batch->job->recipients[batch->members[i]];
}

/* ---- what a reply means -------------------------------------------------- */

/* Whether a reply says that there are too many recipients. A full mailbox
 * (X.2.2) is another matter. */
static bool
is_too_many(const struct verdict *verdict)
{
	if (strcmp(verdict->status + 1, ".5.3") == 0)
		return true;
	if (strcmp(verdict->status + 1, ".2.2") == 0)
		return false;
	return strncmp(verdict->reply, "452", 3) == 0 ||
	    strncmp(verdict->reply, "552", 3) == 0 ||
	    (strncmp(verdict->reply, "550", 3) == 0 &&
		strcasestr(verdict->reply, "too many recipients") != NULL);
}

/* Whether a refusal of a transaction can only be about its content: its size or
 * its form. */
static bool
is_about_content(const struct verdict *verdict)
{
	return strcmp(verdict->status, "5.3.4") == 0 ||
	    strncmp(verdict->status, "5.6.", 4) == 0;
}

/* ---- transactions -------------------------------------------------------- */

struct tally {
	size_t good; /* delivered */
	size_t common; /* refused together */
	const struct verdict *refusal; /* of these; NULL: none */
	const struct verdict *deferral; /* of any; NULL: none */
};

static void
count(const struct batch *batch, const struct verdict *verdicts,
    struct tally *ret_tally)
{
	*ret_tally = (struct tally){ .good = 0 };
	for (size_t i = 0; i < batch->count; i++) {
		const struct verdict *verdict = &verdicts[i];

		if (verdict_is_good(verdict))
			ret_tally->good++;
		else if (verdict->is_common != 0) {
			ret_tally->common++;
			ret_tally->refusal = verdict;
		}
		if (verdict->outcome == OUTCOME_DEFERRED)
			ret_tally->deferral = verdict;
	}
}

/* Learn from a refusal of all accepted recipients how many the host takes.
 * Returns whether a smaller batch is due. */
static bool
split(struct batch *batch, const struct tally *tally,
    enum transaction_refusal refusal)
{
	if ((refusal != REFUSAL_DATA && refusal != REFUSAL_CONTENT) ||
	    tally->refusal == NULL ||
	    (tally->refusal->outcome != OUTCOME_FAILED &&
		!is_too_many(tally->refusal)) ||
	    is_about_content(tally->refusal))
		return false;
	if (tally->common == 1) {
		batch->lone_refusals++;
		batch->most = batch->limit;
		return false;
	}
	if (batch->lone_refusals >= LONE_REFUSALS_MAX)
		return false;
	batch->most = tally->common / 2;
	return true;
}

/* The host would say the same of the others. */
static void
judge_others(struct batch *batch, const struct verdict *verdict)
{
	for (size_t i = 0; i < batch->job->recipient_count; i++)
		if (is_left(batch, i)) {
			batch->job->verdicts[i] = *verdict;
			batch->tries[i] = TRIES_MAX;
		}
}

/* Set the verdict of a member. Returns whether it is left for another batch. */
static bool
judge(struct batch *batch, size_t member, const struct verdict *verdict,
    bool is_split, bool is_any_accepted)
{
	unsigned char *tries = &batch->tries[member];

	batch->job->verdicts[member] = *verdict;
	if (is_split && verdict->is_common != 0) {
		verdict_defer(&batch->job->verdicts[member]);
		return true;
	}
	if (is_any_accepted && verdict->is_common == 0 && *tries == 0 &&
	    !verdict_is_good(verdict) && is_too_many(verdict)) {
		verdict_defer(&batch->job->verdicts[member]);
		*tries = 1;
		return true;
	}
	*tries = TRIES_MAX;
	return false;
}

bool
batch_take(struct batch *batch, const struct verdict *verdicts,
    enum transaction_refusal refusal, bool is_lost)
{
	struct tally tally;
	bool is_split, is_smaller = false;

	count(batch, verdicts, &tally);
	is_split = split(batch, &tally, refusal);
	for (size_t i = 0; i < batch->count; i++)
		is_smaller |= judge(batch, batch->members[i], &verdicts[i],
		    is_split, tally.good + tally.common > 0);
	if (tally.good > 0)
		batch->lone_refusals = 0;
	if (tally.good > 0 && is_smaller)
		batch->most = tally.good;
	if (tally.good > 0 || is_smaller)
		return true;
	if (refusal == REFUSAL_MAIL)
		judge_others(batch, &verdicts[0]);
	else if (tally.deferral != NULL && (refusal != REFUSAL_NONE || is_lost))
		judge_others(batch, tally.deferral);
	return false;
}

void
batch_put_off(struct batch *batch, const struct verdict *verdicts)
{
	for (size_t i = 0; i < batch->count; i++)
		batch->job->verdicts[batch->members[i]] = verdicts[i];
}
