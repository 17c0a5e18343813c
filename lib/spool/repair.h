/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_REPAIR_H
#define SPOOL_REPAIR_H

#include <stdbool.h>

#include "lib/spool/spool.h"

/* Called for each repair, with the path below the spool and what was done. */
typedef void repair_report(void *context, const char *path, const char *what);

/* Whether a sweep is due. It reads every name in the queue: too much for each
 * run (promise P8). */
bool repair_is_due(struct spool *spool);

/*
 * Sweep up what crashes and administrators left, and record the time. Remove
 * what is known to be useless, move what is unknown to queue/damaged. Other
 * processes may use the spool meanwhile.
 *
 * Returns 0, or a negative errno if the sweep was not completed.
 */
int repair_sweep(struct spool *spool, repair_report *report, void *context);

#endif
