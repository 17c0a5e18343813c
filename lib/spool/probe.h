/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_PROBE_H
#define SPOOL_PROBE_H

#include "lib/spool/spool.h"

/*
 * Whether the file system has what the spool stands on: flock(2) that excludes,
 * link(2), rename(2). Tried out on file systems that are not known to have all
 * of it, but not again within an hour of success.
 *
 * ret_lacking	what is missing, for people; set with -EOPNOTSUPP.
 *
 * Returns 0; -EOPNOTSUPP: no mail may be trusted to it; or another negative
 * errno: it could not be tried.
 */
int probe_check(struct spool *spool, const char **ret_lacking);

#endif
