/* SPDX-License-Identifier: ISC */

/*
 * backoff.c - the schedule of retries (RFC 5321 section 4.5.4.1).
 *
 * Pure.
 */

#include "config.h"

#include "smtp-deliver/queue/backoff.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define DOUBLINGS_MAX 6 /* 2^6 is the cap */
#define REACH_DOUBLINGS_MAX 5
#define FOLLOW_MINUTES_MAX 5

static int64_t
least_wait_ms(unsigned attempt, unsigned doublings_max)
{
	unsigned doublings = attempt > 0 ? attempt - 1 : 0;

	return MINUTE_MS << (doublings < doublings_max ? doublings
						       : doublings_max);
}

/* Add the wait and up to a quarter of it, and round up to a minute. */
static int64_t
minute_after(int64_t real_ms, int64_t wait_ms, uint32_t chance)
{
	wait_ms += (int64_t)(chance % ((uint64_t)wait_ms / 4 + 1));
	return (real_ms + wait_ms + MINUTE_MS - 1) / MINUTE_MS;
}

int64_t
backoff_next_minute(int64_t real_ms, unsigned attempt, uint32_t chance)
{
	return minute_after(real_ms, least_wait_ms(attempt, DOUBLINGS_MAX),
	    chance);
}

int64_t
backoff_reach_real_ms(int64_t real_ms, unsigned failures, uint32_t chance)
{
	int64_t wait_ms = least_wait_ms(failures, REACH_DOUBLINGS_MAX);

	return minute_after(real_ms, wait_ms, chance) * MINUTE_MS;
}

int64_t
backoff_follow_minute(int64_t until_real_ms, unsigned failures, uint32_t chance)
{
	int64_t wait_ms = least_wait_ms(failures, REACH_DOUBLINGS_MAX);
	int64_t spread = wait_ms / MINUTE_MS;

	if (spread > FOLLOW_MINUTES_MAX)
		spread = FOLLOW_MINUTES_MAX;
	return until_real_ms / MINUTE_MS + chance % (spread + 1);
}

int64_t
backoff_soon_minute(int64_t real_ms, uint32_t chance)
{
	return real_ms / MINUTE_MS + 1 + chance % 2;
}

int64_t
backoff_expiry_real_ms(int64_t accepted_real_ms, int lifetime_days)
{
	return accepted_real_ms + lifetime_days * DAY_MS;
}

bool
is_expired(int64_t accepted_real_ms, int64_t real_ms, unsigned attempt,
    int lifetime_days)
{
	if (attempt < BACKOFF_ATTEMPTS_MIN)
		return false;
	return real_ms >
	    backoff_expiry_real_ms(accepted_real_ms, lifetime_days) ||
	    attempt > (unsigned)lifetime_days * BACKOFF_ATTEMPTS_PER_DAY;
}

bool
is_late(int64_t accepted_real_ms, int64_t real_ms, int delay_hours)
{
	return delay_hours > 0 &&
	    real_ms - accepted_real_ms >= delay_hours * HOUR_MS;
}
