/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_PROBE_H
#define SPOOL_PROBE_H

#include "lib/spool/spool.h"

/*
 * Check that the file system has what a spool needs: an exclusive flock(2),
 * link(2), rename(2). Unknown file systems are tested, at most once an hour
 * after a success.
 *
 * ret_lacking	what is missing, in words; set with -EOPNOTSUPP.
 *
 * Returns 0; -EOPNOTSUPP: unfit for mail; or another negative errno: it could
 * not be tested.
 */
int probe_check(struct spool *spool, const char **ret_lacking);

#endif
