/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_LAYOUT_H
#define SPOOL_LAYOUT_H

#include <dirent.h>
#include <stdbool.h>

#include "lib/spool/filesystem.h"
#include "lib/spool/key.h"
#include "lib/spool/spool.h"

/*
 * The spool's folders and the files in them, for the modules of lib/spool only.
 */
enum spool_folder {
	FOLDER_ROOT,
	FOLDER_QUEUE,
	FOLDER_NEW,
	FOLDER_RETRY,
	FOLDER_ATTEMPTS,
	FOLDER_FAILED,
	FOLDER_DAMAGED,
	FOLDER_SCRATCH,
	FOLDER_POLICIES,
	FOLDER_UNREACHABLE,
	FOLDER_FAULTS,
	FOLDERS,
};

struct spool {
	int folders[FOLDERS];
	int day_fd; /* the folder of one day, once it was needed */
	int64_t day; /* that day, counted from 1970 */
	bool is_day_kept; /* the folder serves for any day */
	uint64_t reserve_bytes; /* that mail must leave in the file system */
	bool has_flush;
	struct filesystem_flush flush;
	struct spool_key key;
};

/* Open the spool's own folder, making it and its parents if they are missing.
 * Returns a descriptor, which the caller closes, or a negative errno. */
int layout_open_root(const char *path);

/* Open the folders of a spool below its own, making those that are missing.
 * Takes ownership of root_fd in any case. Returns 0 or a negative errno;
 * layout_close() is due in both cases. */
int layout_open(struct spool *spool, int root_fd);
void layout_close(struct spool *spool);

/* The path of a folder below the spool. */
const char *layout_folder_name(enum spool_folder folder);

/* A descriptor of the folder, kept open by the spool, or a negative errno. */
int layout_folder(struct spool *spool, enum spool_folder folder);

/* Open a folder below another; make it if it is missing. The descriptor is the
 * caller's. */
int layout_open_folder(int parent_fd, const char *name);

/*
 * A descriptor of the folder of a day's mail, kept open by the spool until
 * another day's is needed, or a negative errno. If the folder was removed
 * meanwhile, linking into it fails with -ENOENT; after layout_close_day() the
 * next call makes it again. layout_keep_day() uses the open one for all other
 * days.
 */
int layout_day_folder(struct spool *spool, int64_t real_ms);
void layout_keep_day(struct spool *spool);
void layout_close_day(struct spool *spool);

/* Make the names in that folder and in the queue durable, if
 * layout_is_flush_enough() is false. */
int layout_flush_names(struct spool *spool);

/*
 * Make a file for writing, without a name if the file system can do that
 * (O_TMPFILE), else in scratch under the given name. The folder holds nothing
 * else: a sandbox that lets a process write there protects all mail.
 *
 * ret_is_named	whether it has that name, which the caller removes at the end.
 *
 * Returns a descriptor, which is the caller's, or a negative errno.
 */
int layout_open_unnamed(struct spool *spool, const char *scratch_name,
    bool *ret_is_named);

/* Give an open file another name. */
int layout_link(struct spool *spool, int fd, const char *scratch_name,
    bool is_named, int folder_fd, const char *name);

/* Open a folder for readdir(3). The caller closes it. */
int layout_open_listing(struct spool *spool, enum spool_folder folder,
    DIR **ret_listing);

/*
 * Move a name to a folder of files that are kept. If the name is taken there,
 * add a suffix.
 *
 * name		below from_fd; its last part is kept.
 */
int layout_keep(int from_fd, const char *name, int to_fd);

/*
 * Whether a name is durable once its file has been flushed after it was made.
 * If not, each folder that got a name must be flushed as well.
 */
bool layout_is_flush_enough(struct spool *spool);

/* Make all names that were made and removed until now durable; -EOPNOTSUPP if
 * the folders must be flushed for that. */
int layout_commit(struct spool *spool);

/*
 * Whether a name may remain visible for a while after another host removed it:
 * network file systems cache names.
 */
bool layout_has_stale_names(struct spool *spool);

/* Read once at an offset, as pread(2) does. Returns how many octets, 0 at the
 * end, or a negative errno. */
ssize_t layout_read(int fd, void *ret_data, size_t size_bytes, uint64_t offset);

/* Read from the start until the size or the end. Returns as layout_read(). */
ssize_t layout_read_start(int fd, char *ret_data, size_t size_bytes);

/* Write all octets at an offset. */
int layout_write(int fd, const void *data, size_t size_bytes, int64_t offset);

#endif
