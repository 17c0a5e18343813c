/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_SCAN_H
#define SPOOL_SCAN_H

#include <stdint.h>

#include "lib/spool/entry.h"
#include "lib/spool/spool.h"

/* Iterates over the due entries of the queue: new ones first, then retries by
 * minute. Opens only folders that are due (promise P8). */
struct scan;

/* No retry is planned for later than this. A minute further ahead was chosen
 * before the clock was set back, and is due. */
#define SCAN_RETRY_MAX_MINUTES 120

int scan_open(struct spool *spool, int64_t real_ms, struct scan **ret_scan);
/* Returns 1 with an entry, 0 at the end, or a negative errno. */
int scan_next(struct scan *scan, struct queue_entry *ret_entry);
void scan_close(struct scan *scan);

/* Count the messages in the queue; find for how long the message that is
 * overdue the longest has been due (0 if none is). */
int scan_count(struct spool *spool, uint64_t *ret_count);
int scan_longest_wait(struct spool *spool, int64_t real_ms,
    int64_t *ret_wait_ms);

/*
 * Find when the next run should be for the retries in the queue of the spool at
 * that path, which need not exist: in the minute of the earliest, or one to two
 * minutes from now if that is due, or will be within 5 s. It is always more
 * than 5 s and at most two hours ahead. Opens one folder and changes nothing.
 *
 * ret_minute	counted from 1970
 *
 * Returns 1, 0 if there are no retries, or a negative errno.
 */
int scan_find_next_run(const char *queue_path, int64_t real_ms,
    int64_t *ret_minute);

#endif
