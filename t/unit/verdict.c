/* SPDX-License-Identifier: ISC */

/*
 * verdict.c - octets that are not a valid verdict are refused.
 */

#include "config.h"

#include <string.h>

#include "smtp-deliver/verdict.h"
#include "t/unit/tap.h"

static struct verdict
make_verdict(void)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	verdict_set(&verdict, OUTCOME_DEFERRED, "4.4.1", "no reply");
	return verdict;
}

static void
verdict_that_was_set_is_valid(void)
{
	struct verdict verdict = make_verdict();

	ok(verdict_is_valid(&verdict), "verdict_set() makes a valid verdict");
}

static void
outcomes_are_of_attempts(void)
{
	static const int outcomes[] = { OUTCOME_NONE, OUTCOME_FAILED + 1,
		0x7ffffff, -1 };
	struct verdict verdict = make_verdict();

	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		memcpy(&verdict.outcome, &outcomes[i], sizeof(verdict.outcome));
		ok(!verdict_is_valid(&verdict), "invalid outcome: %d",
		    outcomes[i]);
	}
}

static void
statuses_are_digits_and_dots(void)
{
	static const char *const statuses[] = { "", "4 4 1", "4.4.1\n", "-1" };
	struct verdict verdict = make_verdict();

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		(void)strlcpy(verdict.status, statuses[i],
		    sizeof(verdict.status));
		ok(!verdict_is_valid(&verdict), "invalid status: row %zu", i);
	}
}

static void
texts_have_an_end(void)
{
	struct verdict verdict;

#define IS_REFUSED_WITHOUT_END(member)                               \
	do {                                                         \
		verdict = make_verdict();                            \
		memset(verdict.member, '4', sizeof(verdict.member)); \
		ok(!verdict_is_valid(&verdict), "no NUL: " #member); \
	} while (0)

	IS_REFUSED_WITHOUT_END(status);
	IS_REFUSED_WITHOUT_END(host);
	IS_REFUSED_WITHOUT_END(tls);
	IS_REFUSED_WITHOUT_END(policy);
	IS_REFUSED_WITHOUT_END(fingerprint);
	IS_REFUSED_WITHOUT_END(reply);
	IS_REFUSED_WITHOUT_END(reason);
}

int
main(void)
{
	verdict_that_was_set_is_valid();
	outcomes_are_of_attempts();
	statuses_are_digits_and_dots();
	texts_have_an_end();
	return done_testing();
}
