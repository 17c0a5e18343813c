/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_REPAIR_H
#define SPOOL_REPAIR_H

#include <stdbool.h>

#include "lib/spool/spool.h"

/* Told of each thing that was put right: its path below the spool, and what
 * was done with it. */
typedef void repair_report(void *context, const char *path, const char *what);

/* Whether the last sweep was long enough ago that another is due. A sweep
 * looks at every file of the queue: too much for each run (promise P8). */
bool repair_is_due(struct spool *spool);

/*
 * Sweep up what crashes and administrators have left, and note that it was
 * done. What is known to be of no use to anybody is removed; what is not known
 * is moved to queue/damaged. Other processes may go on meanwhile.
 *
 * Returns 0, or a negative errno if the sweep could not be finished.
 */
int repair_sweep(struct spool *spool, repair_report *report, void *context);

#endif
