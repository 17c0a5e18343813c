/* SPDX-License-Identifier: ISC */

/*
 * refusal.c - which refusals of a transaction are due to the connection.
 */

#include "config.h"

#include <string.h>

#include "smtp-deliver/worker/refusal.h"
#include "t/unit/tap.h"

#define MOST 2

static const struct row {
	const char *name;
	enum transaction_refusal refusal;
	const char *replies[MOST]; /* to the recipients */
	bool is_session; /* refused because of it; outcomes afterwards, as the
			  * first digits of replies: */
	const char *outcomes;
	bool is_crowding;
} rows[] = {
	{ "550 to MAIL", REFUSAL_MAIL, { "550", "550" }, true, "44", false },
	{ "451 to MAIL", REFUSAL_MAIL, { "451", "451" }, true, "44", true },
	{ "503 to a RCPT", REFUSAL_NONE, { "250", "503" }, true, "24", false },
	{ "550 to a RCPT", REFUSAL_NONE, { "250", "550" }, false, "25", false },
	{ "432 to a RCPT", REFUSAL_NONE, { "432", "250" }, false, "42", false },
	{ "451 to RCPT", REFUSAL_NONE, { "451", "451" }, false, "44", false },
	{ "421 to RCPT", REFUSAL_NONE, { "421", "421" }, false, "44", true },
	{ "432 to DATA", REFUSAL_DATA, { "432", "432" }, false, "44", true },
	{ "554 to DATA", REFUSAL_DATA, { "554", "554" }, false, "55", false },
	{ "no reply", REFUSAL_CONTENT, { "", "" }, false, "44", false },
};

static enum outcome
outcome_of(const char *reply)
{
	switch (*reply) {
	case '2':
		return OUTCOME_DELIVERED;
	case '5':
		return OUTCOME_FAILED;
	default:
		return OUTCOME_DEFERRED;
	}
}

static void
fill_verdicts(const struct row *row, struct verdict verdicts[MOST])
{
	memset(verdicts, 0, MOST * sizeof(*verdicts));
	for (size_t i = 0; i < MOST; i++) {
		verdicts[i].outcome = outcome_of(row->replies[i]);
		(void)strlcpy(verdicts[i].reply, row->replies[i],
		    sizeof(verdicts[i].reply));
	}
}

static void
check_row(const struct row *row)
{
	static const char digits[] = {
		[OUTCOME_DELIVERED] = '2',
		[OUTCOME_DEFERRED] = '4',
		[OUTCOME_FAILED] = '5',
	};
	struct verdict verdicts[MOST];
	char outcomes[MOST + 1] = "";

	fill_verdicts(row, verdicts);
	ok(refusal_is_crowding(row->refusal, verdicts, MOST) ==
		row->is_crowding,
	    "%s: crowding", row->name);
	ok(refusal_defer_session(row->refusal, verdicts, MOST) ==
		row->is_session,
	    "%s: of the session", row->name);
	for (size_t i = 0; i < MOST; i++)
		outcomes[i] = digits[verdicts[i].outcome];
	ok(strcmp(outcomes, row->outcomes) == 0, "%s: outcomes %s", row->name,
	    outcomes);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
	return done_testing();
}
