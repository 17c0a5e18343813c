/* SPDX-License-Identifier: ISC */

/*
 * backoff.c - the schedule of retries (RFC 5321 section 4.5.4.1).
 *
 * Pure.
 */

#include "config.h"

#include "smtp-deliver/backoff.h"

#define MINUTE_MS INT64_C(60000)
#define DOUBLINGS_MAX 6 /* 2^6 is the cap */

int64_t
backoff_next_minute(int64_t real_ms, unsigned attempt, uint32_t chance)
{
	unsigned doublings = attempt > 0 ? attempt - 1 : 0;
	int64_t wait_ms;

	if (doublings > DOUBLINGS_MAX)
		doublings = DOUBLINGS_MAX;
	wait_ms = MINUTE_MS << doublings;
	wait_ms += (int64_t)(chance % ((uint64_t)wait_ms / 4 + 1));
	/* Up to the next whole minute. */
	return (real_ms + wait_ms + MINUTE_MS - 1) / MINUTE_MS;
}

bool
is_expired(int64_t accepted_ms, int64_t real_ms, unsigned attempt)
{
	if (attempt < BACKOFF_ATTEMPTS_MIN)
		return false;
	return real_ms - accepted_ms > BACKOFF_LIFETIME_MS ||
	    attempt > BACKOFF_ATTEMPTS_MAX;
}
