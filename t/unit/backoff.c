/* SPDX-License-Identifier: ISC */

/*
 * backoff.c - retries are 1, 2, 4 ... 64 minutes apart and up to a quarter
 * more, for five days.
 */

#include "config.h"

#include "smtp-deliver/queue/backoff.h"
#include "t/unit/tap.h"

#define REAL_MS INT64_C(1763836260000) /* a whole minute */
#define MINUTE (REAL_MS / 60000)
#define DAY_MS INT64_C(86400000)

/* The least and the most minutes to wait after an attempt. */
static const struct {
	unsigned attempt;
	int64_t least, most;
} rows[] = {
	{ 0, 1, 2 },
	{ 1, 1, 2 },
	{ 2, 2, 3 },
	{ 3, 4, 5 },
	{ 4, 8, 10 },
	{ 5, 16, 20 },
	{ 6, 32, 40 },
	{ 7, 64, 80 },
	{ 8, 64, 80 },
	{ 100, 64, 80 },
	{ UINT32_MAX, 64, 80 },
};

static void
check_row(size_t row)
{
	int64_t least = INT64_MAX, most = 0;
	uint32_t chance = 0;

	for (int i = 0; i < 20000; i++) {
		int64_t wait =
		    backoff_next_minute(REAL_MS, rows[row].attempt, chance) -
		    MINUTE;

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
		chance += UINT32_C(2654435761); /* covers the range */
	}
	is_int(least, rows[row].least, "attempt %u: the shortest wait",
	    rows[row].attempt);
	is_int(most, rows[row].most, "attempt %u: the longest wait",
	    rows[row].attempt);
}

/* For a number of failures: the least and the most minutes for which a
 * destination is throttled, and the most minutes after which its messages that
 * waited are tried. */
static const struct {
	unsigned failures;
	int64_t least, most;
	int64_t follow_most;
} reach_rows[] = {
	{ 1, 1, 2, 1 },
	{ 2, 2, 3, 2 },
	{ 3, 4, 5, 4 },
	{ 4, 8, 10, 5 },
	{ 5, 16, 20, 5 },
	{ 6, 32, 40, 5 },
	{ 7, 32, 40, 5 },
	{ UINT32_MAX, 32, 40, 5 },
};

static void
check_reach_row(size_t row)
{
	int64_t least = INT64_MAX, most = 0, first = INT64_MAX, last = 0;
	uint32_t chance = 0;

	for (int i = 0; i < 20000; i++) {
		unsigned failures = reach_rows[row].failures;
		int64_t until_real_ms =
		    backoff_reach_real_ms(REAL_MS, failures, chance);
		int64_t wait = until_real_ms / 60000 - MINUTE;
		int64_t follow =
		    backoff_follow_minute(until_real_ms, failures, chance) -
		    until_real_ms / 60000;

		need(until_real_ms % 60000 == 0);
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
		first = follow < first ? follow : first;
		last = follow > last ? follow : last;
		chance += UINT32_C(2654435761);
	}
	is_int(least, reach_rows[row].least, "failure %u: the shortest wait",
	    reach_rows[row].failures);
	is_int(most, reach_rows[row].most, "failure %u: the longest wait",
	    reach_rows[row].failures);
	ok(most * 60000 <= BACKOFF_REACH_MAX_MS - 60000,
	    "which is below BACKOFF_REACH_MAX_MS");
	is_int(first, 0, "messages that waited are tried then");
	is_int(last, reach_rows[row].follow_most, "or a few minutes later");
}

static void
no_retry_comes_too_early(void)
{
	unsigned early = 0;

	for (int64_t ms = 0; ms < 60000; ms += 7)
		early += backoff_next_minute(REAL_MS + ms, 1, 0) * 60000 <
		    REAL_MS + ms + 60000;
	is_int(early, 0, "a wait of a minute is never shorter");
}

static void
without_a_network_retries_are_soon(void)
{
	is_int(backoff_soon_minute(REAL_MS, 0) - MINUTE, 1,
	    "without a network the retry is in the next minute");
	is_int(backoff_soon_minute(REAL_MS + 59999, 7) - MINUTE, 2,
	    "or in the one after");
}

static void
messages_expire(void)
{
	const int64_t later_ms = REAL_MS + 5 * DAY_MS + 1;

	ok(!is_expired(REAL_MS, REAL_MS, 100, 5),
	    "a new message is not expired");
	ok(!is_expired(REAL_MS, later_ms - 1, 100, 5),
	    "nor is one of five days");
	ok(is_expired(REAL_MS, later_ms, 100, 5), "but an older one is");
	ok(is_expired(REAL_MS, later_ms, 8, 5), "if eight attempts were made");
	ok(!is_expired(REAL_MS, later_ms, 7, 5), "but not after fewer");
	ok(!is_expired(REAL_MS, REAL_MS + 365 * DAY_MS, 1, 5),
	    "a clock that goes forward a year expires nothing by itself");
	ok(!is_expired(REAL_MS, REAL_MS - DAY_MS, 160, 5),
	    "a clock that goes back expires nothing");
	ok(is_expired(REAL_MS, REAL_MS - DAY_MS, 161, 5),
	    "but messages expire by their number of attempts");
	ok(is_expired(REAL_MS, REAL_MS + DAY_MS + 1, 100, 1),
	    "a lifetime of one day ends after a day");
	ok(!is_expired(REAL_MS, later_ms, 161, 30),
	    "and one of 30 days not after five");
}

static void
messages_are_late(void)
{
	ok(!is_late(REAL_MS, REAL_MS + DAY_MS / 6 - 1, 4),
	    "a message is not late before four hours");
	ok(is_late(REAL_MS, REAL_MS + DAY_MS / 6, 4), "but is then");
	ok(!is_late(REAL_MS, REAL_MS + 100 * DAY_MS, 0),
	    "and never with a limit of 0");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(i);
	for (size_t i = 0; i < sizeof(reach_rows) / sizeof(reach_rows[0]); i++)
		check_reach_row(i);
	no_retry_comes_too_early();
	without_a_network_retries_are_soon();
	messages_expire();
	messages_are_late();
	return done_testing();
}
