/* SPDX-License-Identifier: ISC */

/*
 * batch.c - hosts with a limit on recipients get every message, whichever way
 * they say so, and a content that a host refuses is not sent to it once for
 * each recipient.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "smtp-deliver/worker/batch.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NOBODY 2000 /* a recipient that there is not */

/* A host: the most recipients that it takes, and what it says of more, to the
 * command of that step; a recipient whom it refuses, and how. */
struct host {
	size_t most;
	enum { AT_RCPT, AT_DATA, AT_CONTENT } step;
	const char *beyond;
	size_t culprit;
	const char *refusal;
};

/* clang-format off */
static const struct {
	const char *name;
	size_t recipients, limit;
	struct host host;
	size_t delivered, failed; /* the others are deferred */
	size_t transactions; /* at most */
} cases[] = {
	{ "a host without a limit", 250, 100, { NOBODY, AT_RCPT, "", NOBODY, "" }, 250, 0, 3 },
	{ "one recipient a transaction", 7, 1, { NOBODY, AT_RCPT, "", NOBODY, "" }, 7, 0, 7 },
	{ "452 to RCPT", 1000, 100, { 30, AT_RCPT, "452 4.5.3 too many", NOBODY, "" }, 1000, 0, 34 },
	{ "452 without a status", 100, 100, { 10, AT_RCPT, "452 enough", NOBODY, "" }, 100, 0, 10 },
	{ "552 to RCPT", 100, 100, { 10, AT_RCPT, "552 too many", NOBODY, "" }, 100, 0, 10 },
	{ "550 5.5.3 to RCPT", 100, 100, { 10, AT_RCPT, "550 5.5.3 too many", NOBODY, "" }, 100, 0, 10 },
	{ "550 to RCPT, in words", 100, 100, { 10, AT_RCPT, "550 Too many recipients", NOBODY, "" }, 100, 0, 10 },
	{ "554 to DATA", 1000, 100, { 50, AT_DATA, "554 5.5.0 no", NOBODY, "" }, 1000, 0, 21 },
	{ "452 to DATA", 100, 100, { 10, AT_DATA, "452 4.5.3 too many", NOBODY, "" }, 100, 0, 21 },
	{ "554 to the content", 100, 100, { 1, AT_CONTENT, "554 no", NOBODY, "" }, 100, 0, 106 },
	{ "nobody is accepted at DATA", 100, 100, { 0, AT_DATA, "554 5.7.1 no", NOBODY, "" }, 0, 100, 15 },
	{ "a content that nobody takes", 1000, 100, { 0, AT_CONTENT, "554 5.7.1 spam", NOBODY, "" }, 0, 1000, 24 },
	{ "the same for two", 2, 100, { 0, AT_CONTENT, "554 5.7.1 spam", NOBODY, "" }, 0, 2, 3 },
	{ "the same for one", 1, 100, { 0, AT_CONTENT, "554 5.7.1 spam", NOBODY, "" }, 0, 1, 1 },
	{ "a content that is too large", 100, 100, { 0, AT_CONTENT, "552 5.3.4 too large", NOBODY, "" }, 0, 100, 1 },
	{ "a content that is deferred", 1000, 100, { 0, AT_CONTENT, "451 4.3.0 later", NOBODY, "" }, 0, 0, 1 },
	{ "DATA that is deferred", 1000, 100, { 0, AT_DATA, "451 4.3.0 later", NOBODY, "" }, 0, 0, 1 },
	{ "a recipient who is unknown", 10, 100, { NOBODY, AT_RCPT, "", 3, "550 5.1.1 who?" }, 9, 1, 1 },
	{ "a recipient who is deferred", 10, 100, { NOBODY, AT_RCPT, "", 3, "451 4.3.0 later" }, 9, 0, 1 },
	{ "a mailbox that is full", 10, 100, { NOBODY, AT_RCPT, "", 3, "452 4.2.2 full" }, 9, 0, 1 },
	{ "452 to one recipient", 10, 100, { NOBODY, AT_RCPT, "", 3, "452 no room" }, 9, 0, 2 },
	{ "552 to one of many", 1000, 100, { NOBODY, AT_RCPT, "", 3, "552 no room" }, 999, 0, 12 },
	{ "a recipient who refuses the content", 100, 100, { NOBODY, AT_CONTENT, "", 0, "554 5.7.1 spam" }, 99, 1, 8 },
	{ "the same in the midst", 100, 100, { NOBODY, AT_CONTENT, "", 42, "554 5.7.1 spam" }, 99, 1, 60 },
};
/* clang-format on */

static void
set_verdict(struct verdict *verdict, const char *reply, bool is_common)
{
	*verdict = (struct verdict){ .outcome = OUTCOME_DELIVERED };
	if (*reply == '\0')
		return;
	/* 552 to RCPT counts as 452: dialogue.c. */
	verdict->outcome =
	    *reply == '5' && (is_common || strncmp(reply, "552", 3) != 0)
	    ? OUTCOME_FAILED
	    : OUTCOME_DEFERRED;
	verdict->is_common = is_common;
	(void)strlcpy(verdict->reply, reply, sizeof(verdict->reply));
	if (reply[4] >= '4' && reply[4] <= '5')
		(void)snprintf(verdict->status, sizeof(verdict->status), "%.5s",
		    reply + 4);
	else
		(void)snprintf(verdict->status, sizeof(verdict->status),
		    "%c.0.0", *reply);
}

/* What the host says to the transaction. */
static enum transaction_refusal
reply(const struct host *host, const struct batch *batch,
    struct verdict *verdicts)
{
	const char *common = "";
	size_t accepted = 0;

	for (size_t i = 0; i < batch->count; i++) {
		bool is_culprit = batch->members[i] == host->culprit;
		const char *text = "";

		if (is_culprit && host->step != AT_RCPT)
			common = host->refusal;
		else if (is_culprit)
			text = host->refusal;
		else if (host->step == AT_RCPT && accepted >= host->most)
			text = host->beyond;
		accepted += *text == '\0';
		set_verdict(&verdicts[i], text, false);
	}
	if (host->step != AT_RCPT && accepted > host->most)
		common = host->beyond;
	if (*common == '\0')
		return REFUSAL_NONE;
	for (size_t i = 0; i < batch->count; i++)
		if (verdict_is_good(&verdicts[i]))
			set_verdict(&verdicts[i], common, true);
	return host->step == AT_DATA ? REFUSAL_DATA : REFUSAL_CONTENT;
}

static size_t
count_outcomes(const struct job *job, enum outcome outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < job->recipient_count; i++)
		count += job->verdicts[i].outcome == outcome;
	return count;
}

static void
check(size_t row)
{
	static struct batch batch;
	static struct verdict verdicts[ENVELOPE_RECIPIENTS_MAX];
	static struct message message;
	struct job job;
	size_t transactions = 0;
	bool is_within = true;

	need(job_init(&job, &message, cases[row].recipients) == 0);
	set_verdict(&verdicts[0], "450 4.3.0 not tried", false);
	job_set_verdict(&job, &verdicts[0]);
	batch_begin(&batch, &job, cases[row].limit);
	while (transactions < 5000 && batch_next(&batch)) {
		enum transaction_refusal refusal =
		    reply(&cases[row].host, &batch, verdicts);

		is_within = is_within && batch.count <= cases[row].limit;
		(void)batch_take(&batch, verdicts, refusal, false);
		transactions++;
	}
	ok(is_within, "%s: no transaction is too large", cases[row].name);
	is_int((int64_t)count_outcomes(&job, OUTCOME_DELIVERED),
	    (int64_t)cases[row].delivered, "so many are delivered");
	is_int((int64_t)count_outcomes(&job, OUTCOME_FAILED),
	    (int64_t)cases[row].failed, "so many fail");
	ok(transactions <= cases[row].transactions,
	    "%zu transactions, not over %zu", transactions,
	    cases[row].transactions);
	job_clear(&job);
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(cases); i++)
		check(i);
	return done_testing();
}
