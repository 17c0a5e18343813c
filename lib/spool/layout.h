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
	FOLDERS,
};

struct spool {
	int folders[FOLDERS];
	int day_fd; /* the folder of one day, once it was needed */
	int64_t day; /* that day, counted from 1970 */
	bool is_day_kept; /* the folder serves for any day */
	bool has_flush;
	struct filesystem_flush flush;
	struct spool_key key;
};

/* Open the folders of a spool, making those that are missing. Returns 0 or a
 * negative errno; layout_close() is due in both cases. */
int layout_open(struct spool *spool, const char *path);
void layout_close(struct spool *spool);

/* The path of a folder below the spool. */
const char *layout_folder_name(enum spool_folder folder);

/* A descriptor of the folder, kept open by the spool, or a negative errno. */
int layout_folder(struct spool *spool, enum spool_folder folder);

/* Open the folder below another, making it if it is missing. The descriptor
 * is the caller's. */
int layout_open_folder(int parent_fd, const char *name);

/*
 * A descriptor of the folder of a day's mail, kept open by the spool until
 * another day's is asked for, or a negative errno. If it was removed meanwhile
 * linking into it fails with -ENOENT; layout_close_day() lets it be made again.
 * layout_keep_day() has the folder that is open serve for any other day.
 */
int layout_day_folder(struct spool *spool, int64_t real_ms);
void layout_keep_day(struct spool *spool);
void layout_close_day(struct spool *spool);

/* Make what was linked into that folder and into the queue durable, for a file
 * system whose flush is not enough. */
int layout_flush_names(struct spool *spool);

/*
 * Make a file to write to that has no name yet if the file system can do that
 * (O_TMPFILE), else one in scratch under the name given. Nothing else lies in
 * that folder, so whoever may write to it can still write to no one's mail.
 *
 * ret_is_named	whether it has that name, which is to be removed at the end.
 *
 * Returns a descriptor, which is the caller's, or a negative errno.
 */
int layout_open_unnamed(struct spool *spool, const char *scratch_name,
    bool *ret_is_named);

/* Give a file that is open one more name. */
int layout_link(struct spool *spool, int fd, const char *scratch_name,
    bool is_named, int folder_fd, const char *name);

/* Begin to read a folder. The caller closes what it gets. */
int layout_open_listing(struct spool *spool, enum spool_folder folder,
    DIR **ret_listing);

/*
 * Move a name to a folder of things that are kept: where something has that
 * name already, it gets another one behind it.
 *
 * name		below from_fd; its last part is kept.
 */
int layout_keep(int from_fd, const char *name, int to_fd);

/*
 * Whether a name is durable once its file has been flushed after it was made.
 * If not, each folder that got a name must be flushed as well.
 */
bool layout_is_flush_enough(struct spool *spool);

/* Make durable what names were made and removed until now; -EOPNOTSUPP where
 * the folders have to be flushed for it. */
int layout_commit(struct spool *spool);

/*
 * Whether a name may seem to be there for a while after another host has
 * removed it: file systems over the network remember names.
 */
bool layout_has_stale_names(struct spool *spool);

/* Read once at an offset, as pread(2) does. Returns how many octets, 0 at the
 * end, or a negative errno. */
ssize_t layout_read(int fd, void *ret_data, size_t size_bytes, uint64_t offset);

/* Read from the start until the size or the end. Returns as layout_read(). */
ssize_t layout_read_start(int fd, char *ret_data, size_t size_bytes);

/* Write all of it at an offset, whatever write(2) takes at a time. */
int layout_write(int fd, const void *data, size_t size_bytes, int64_t offset);

#endif
