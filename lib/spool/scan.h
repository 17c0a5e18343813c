/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_SCAN_H
#define SPOOL_SCAN_H

#include <stdint.h>

#include "lib/spool/entry.h"
#include "lib/spool/spool.h"

/* Goes through the entries that are due: new ones first, then retries, oldest
 * minute first. Only folders that are due are opened (promise P8). */
struct scan;

/* No retry is planned for later than this: a minute that is further ahead was
 * chosen before the clock was set back, and is due. */
#define SCAN_RETRY_MAX_MINUTES 120

int scan_open(struct spool *spool, int64_t real_ms, struct scan **ret_scan);
/* Returns 1 with an entry, 0 at the end, or a negative errno. */
int scan_next(struct scan *scan, struct queue_entry *ret_entry);
void scan_close(struct scan *scan);

/* How many messages are queued, and for how long the one that has been due
 * the longest has been waiting untried (0 if none has). */
int scan_count(struct spool *spool, uint64_t *ret_count);
int scan_longest_wait(struct spool *spool, int64_t real_ms,
    int64_t *ret_wait_ms);

#endif
