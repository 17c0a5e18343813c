/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_FILESYSTEM_H
#define SPOOL_FILESYSTEM_H

#include <stdbool.h>

/*
 * Properties of the file system that a descriptor is on.
 */

/* What a flush does there. */
struct filesystem_flush {
	bool is_enough; /* that of a file always covers its names */
	int counters_fd; /* counters of ext4 with a journal, or -1 */
};

/* Find out; a file system stays what it is while it is mounted. */
void filesystem_open_flush(struct filesystem_flush *flush, int fd);
void filesystem_close_flush(struct filesystem_flush *flush);

/* Whether the flush of a file that just ended has made its names durable, too.
 * If not, each folder that got a name must be flushed. */
bool filesystem_is_flush_enough(const struct filesystem_flush *flush);

/*
 * Make all names that were made and removed until now durable on a file system
 * where flushing the folders does not: after a power cut, a removed name was
 * found again in a btrfs folder that had been flushed.
 *
 * Returns 0 or a negative errno: -EOPNOTSUPP if flushing the folders is enough.
 */
int filesystem_commit(int fd);

/* The folder that filesystem_is_flush_enough() reads from, or NULL. */
const char *filesystem_facts_path(int fd);

/* Whether a name may remain visible for a while after another host removed it:
 * network file systems cache names. */
bool filesystem_has_stale_names(int fd);

/* Whether it is a local file system that is known to have all that a spool
 * needs. Others must be tried (probe.h). */
bool filesystem_is_known_to_be_able(int fd);

#endif
