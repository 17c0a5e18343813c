/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_FILESYSTEM_H
#define SPOOL_FILESYSTEM_H

#include <stdbool.h>

/*
 * What is known of the file system that a descriptor is on.
 */

/* What is known of flushes there. */
struct filesystem_flush {
	bool is_enough; /* a file's are its names' as well, at any time */
	int counters_fd; /* ext4 with a journal: what they were; or -1 */
};

/* Find out; a file system stays what it is while it is mounted. */
void filesystem_open_flush(struct filesystem_flush *flush, int fd);
void filesystem_close_flush(struct filesystem_flush *flush);

/* Whether a flush of a file, made just now after its names, has made these
 * durable as well. If not, each folder that got a name must be flushed. */
bool filesystem_is_flush_enough(const struct filesystem_flush *flush);

/*
 * Make durable at once what names were made and removed until now, where a
 * flush of the folders does not do that: a btrfs folder that was flushed has
 * been seen to have a removed name again after a power cut.
 *
 * Returns 0 or a negative errno: -EOPNOTSUPP where folders are to be flushed.
 */
int filesystem_commit(int fd);

/* The folder that filesystem_is_flush_enough() reads in, or NULL for none. */
const char *filesystem_facts_path(int fd);

/* Whether a name may seem to be there for a while after another host has
 * removed it: file systems over the network remember names. */
bool filesystem_has_stale_names(int fd);

/* Whether it is a file system of this host's that has all that a spool stands
 * on. Of others that is not known. */
bool filesystem_is_known_to_be_able(int fd);

#endif
