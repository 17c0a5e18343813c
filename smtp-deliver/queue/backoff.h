/* SPDX-License-Identifier: ISC */

#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* So many attempts belong to the time that a message is tried for: at the
 * least, were there nobody to make them for days; and at the most, each day. */
#define BACKOFF_ATTEMPTS_MIN 8
#define BACKOFF_ATTEMPTS_PER_DAY 32

/* RFC 3463: what a recipient fails with then. */
#define BACKOFF_EXPIRED_STATUS "4.4.7"

/*
 * When to try again: 1 minute after the first attempt, twice as long after
 * each further one up to the cap, and up to a quarter of that longer.
 *
 * attempt	the number of the one that was made, from 1
 * chance	any random number: chooses the jitter
 *
 * Returns a minute (counted from 1970) that is not before then.
 */
int64_t backoff_next_minute(int64_t real_ms, unsigned attempt, uint32_t chance);

/*
 * When to try a destination again none of whose hosts could be used: as above,
 * and a cap of 32 minutes. And when to look again at a message that waits for
 * that: some minutes later, up to 5 and mostly fewer than the wait is long, so
 * that not all of them fall due with the one that is tried.
 *
 * failures	how many there were, from 1
 *
 * The one returns a time, of a whole minute, the other a minute.
 */
int64_t backoff_reach_ms(int64_t real_ms, unsigned failures, uint32_t chance);
int64_t backoff_follow_minute(int64_t until_ms, unsigned failures,
    uint32_t chance);

/* When to look again at a message that there was no network for: in the next
 * minute or the one after. */
int64_t backoff_soon_minute(int64_t real_ms, uint32_t chance);

/* No such time is further ahead than that. */
#define BACKOFF_REACH_MAX_MS INT64_C(2460000)

/*
 * Whether a message has been tried for long enough. The clock alone does not
 * tell: it may have been set forward, or back.
 *
 * attempt	the number of the one that was made, from 1
 * lifetime_days	for how long (RFC 5321 section 4.5.4.1: 4 to 5)
 */
bool is_expired(int64_t accepted_ms, int64_t real_ms, unsigned attempt,
    int lifetime_days);

/* When that will be, by the clock; and whether it is time to tell the sender
 * that a message is late, which is never where the hours are 0. */
int64_t backoff_expiry_ms(int64_t accepted_ms, int lifetime_days);
bool is_late(int64_t accepted_ms, int64_t real_ms, int delay_hours);

#endif
