/* SPDX-License-Identifier: ISC */

#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* A message does not expire before so many attempts, even if no run made any
 * for days. It expires after so many for each day of its lifetime, whatever the
 * clock says. */
#define BACKOFF_ATTEMPTS_MIN 8
#define BACKOFF_ATTEMPTS_PER_DAY 32

/* The status of recipients of an expired message (RFC 3463). */
#define BACKOFF_EXPIRED_STATUS "4.4.7"

/*
 * Return the minute (counted from 1970) of the next attempt: 1 minute after the
 * first one, twice as long after each further one up to the cap, and up to a
 * quarter of that longer.
 *
 * attempt	number of the attempt that was made, from 1, without those that
 *		delivered to somebody; 0 counts as 1
 * chance	any random number: chooses the jitter
 */
int64_t backoff_next_minute(int64_t real_ms, unsigned attempt, uint32_t chance);

/*
 * Return when to try an unreachable destination again: as above, with a cap of
 * 32 minutes; always a whole minute. backoff_follow_minute() returns the minute
 * of the next attempt for other messages to that destination: up to 5 minutes
 * later, and not more than the wait is long, so that they do not all fall due
 * with the one that is tried.
 *
 * failures	how many attempts have failed, from 1
 */
int64_t backoff_reach_real_ms(int64_t real_ms, unsigned failures,
    uint32_t chance);
int64_t backoff_follow_minute(int64_t until_real_ms, unsigned failures,
    uint32_t chance);

/* Return the minute of the next attempt after one without a network: the next
 * minute or the one after. */
int64_t backoff_soon_minute(int64_t real_ms, uint32_t chance);

/* backoff_reach_real_ms() is never further ahead. */
#define BACKOFF_REACH_MAX_MS INT64_C(2460000)

/*
 * Whether a message has expired. The clock alone does not decide: it may have
 * been set forward, or back.
 *
 * attempt	number of the attempt that was made, from 1
 * lifetime_days	RFC 5321 section 4.5.4.1: 4 to 5
 */
bool is_expired(int64_t accepted_real_ms, int64_t real_ms, unsigned attempt,
    int lifetime_days);

/* Return when a message expires by the clock. */
int64_t backoff_expiry_real_ms(int64_t accepted_real_ms, int lifetime_days);

/* Whether a delay notice is due. Never with 0 hours. */
bool is_late(int64_t accepted_real_ms, int64_t real_ms, int delay_hours);

#endif
