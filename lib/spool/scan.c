/* SPDX-License-Identifier: ISC */

/*
 * scan.c - list the queue.
 *
 * Changes nothing, except that it removes buckets that a crash has left empty.
 */

#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/spool/layout.h"
#include "lib/spool/scan.h"

/* A timer may be set a moment after its time was found, but must be ahead. */
#define NEXT_RUN_MARGIN_MS 5000

struct scan {
	struct spool *spool;
	DIR *folder; /* the open one, or NULL between two */
	int64_t *minutes; /* of the buckets that are due */
	size_t minute_count;
	size_t next; /* 0: new; n: minutes[n - 1] */
	bool is_empty; /* no entry seen in the folder so far */
};

/* Open a folder of the spool for reading. NULL with errno set on failure. */
static DIR *
open_listing(struct spool *spool, const char *path)
{
	int fd = openat(layout_folder(spool, FOLDER_ROOT), path,
	    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder;

	if (fd == -1)
		return NULL;
	if ((folder = fdopendir(fd)) == NULL)
		close(fd);
	return folder;
}

/* Get the next name, without "." and ".."; NULL at the end. */
static int
next_name(DIR *folder, const char **ret_name)
{
	struct dirent *dirent;

	*ret_name = NULL;
	do {
		errno = 0;
		if ((dirent = readdir(folder)) == NULL)
			return -errno;
	} while (strcmp(dirent->d_name, ".") == 0 ||
	    strcmp(dirent->d_name, "..") == 0);
	*ret_name = dirent->d_name;
	return 0;
}

static int
compare_minutes(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Whether a bucket is due. A bucket further ahead than any retry was made
 * before the clock was set back. */
static bool
is_due(int64_t minute, int64_t now)
{
	return minute <= now || minute - now > SCAN_RETRY_MAX_MINUTES;
}

/* List the minutes of all buckets that are due, in order; the caller frees. */
static int
list_minutes(struct spool *spool, int64_t now, int64_t **ret_minutes,
    size_t *ret_count)
{
	int64_t *minutes = NULL, minute;
	size_t count = 0, room = 0;
	const char *name;
	DIR *folder = open_listing(spool, NAME_RETRY);
	int r;

	*ret_minutes = NULL;
	*ret_count = 0;
	if (folder == NULL) /* the first deferral makes the folder */
		return errno == ENOENT ? 0 : -errno;
	while ((r = next_name(folder, &name)) == 0 && name != NULL) {
		if (name_parse_bucket(name, &minute) < 0 ||
		    !is_due(minute, now))
			continue;
		if (count == room) {
			int64_t *larger = reallocarray(minutes,
			    room = 2 * room + 16, sizeof(*minutes));

			if (larger == NULL) {
				r = -ENOMEM;
				break;
			}
			minutes = larger;
		}
		minutes[count++] = minute;
	}
	closedir(folder);
	if (r != 0) {
		free(minutes);
		return r;
	}
	if (count > 0)
		qsort(minutes, count, sizeof(*minutes), compare_minutes);
	*ret_minutes = minutes;
	*ret_count = count;
	return 0;
}

int
scan_open(struct spool *spool, int64_t real_ms, struct scan **ret_scan)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	int r;

	if (scan == NULL)
		return -ENOMEM;
	scan->spool = spool;
	r = list_minutes(spool, real_ms / 60000, &scan->minutes,
	    &scan->minute_count);
	if (r < 0) {
		free(scan);
		return r;
	}
	*ret_scan = scan;
	return 0;
}

/* Open the next folder; NULL after the last one. */
static int
open_next_folder(struct scan *scan)
{
	char path[ENTRY_PATH_SIZE];
	struct queue_entry entry = { .name = "" };

	while (scan->next <= scan->minute_count) {
		entry.place = scan->next == 0 ? QUEUE_NEW : QUEUE_RETRY;
		if (scan->next > 0)
			entry.minute = scan->minutes[scan->next - 1];
		scan->next++;
		entry_format_path(&entry, path);
		scan->folder = open_listing(scan->spool, path);
		scan->is_empty = true;
		if (scan->folder != NULL)
			return 0;
		/* Something else with a bucket's name does not keep us from the
		 * others. */
		if (entry.place == QUEUE_NEW && errno != ENOENT)
			return -errno;
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
			return -errno;
	}
	return 0;
}

/* Close a folder that was read. A crash between the last move out of a bucket
 * and its removal leaves it empty. */
static void
close_folder(struct scan *scan)
{
	char path[ENTRY_PATH_SIZE];
	struct queue_entry bucket = { .place = QUEUE_RETRY };

	closedir(scan->folder);
	scan->folder = NULL;
	if (scan->next == 1 || !scan->is_empty)
		return;
	bucket.minute = scan->minutes[scan->next - 2];
	entry_format_path(&bucket, path);
	(void)unlinkat(layout_folder(scan->spool, FOLDER_ROOT), path,
	    AT_REMOVEDIR);
}

int
scan_next(struct scan *scan, struct queue_entry *ret_entry)
{
	const char *name;
	int r = 0;

	for (;;) {
		if (scan->folder == NULL)
			r = open_next_folder(scan);
		if (r != 0 || scan->folder == NULL)
			return r;
		if ((r = next_name(scan->folder, &name)) != 0)
			return r;
		if (name != NULL)
			break;
		close_folder(scan);
	}
	scan->is_empty = false;
	ret_entry->place = scan->next == 1 ? QUEUE_NEW : QUEUE_RETRY;
	ret_entry->minute = scan->next == 1 ? 0 : scan->minutes[scan->next - 2];
	(void)strlcpy(ret_entry->name, name, sizeof(ret_entry->name));
	return 1;
}

void
scan_close(struct scan *scan)
{
	if (scan == NULL)
		return;
	if (scan->folder != NULL)
		closedir(scan->folder);
	free(scan->minutes);
	free(scan);
}

int
scan_count(struct spool *spool, uint64_t *ret_count)
{
	struct scan *scan;
	struct queue_entry entry;
	uint64_t count = 0;
	int r = scan_open(spool, INT64_MAX, &scan);

	if (r < 0)
		return r;
	while ((r = scan_next(scan, &entry)) > 0)
		count++;
	scan_close(scan);
	*ret_count = count;
	return r;
}

/* The time at which an entry became due, in milliseconds since 1970. */
static int64_t
due_real_ms(const struct queue_entry *entry)
{
	if (entry->place == QUEUE_RETRY)
		return entry->minute * 60000;
	return is_id(entry->name) ? id_real_ms(entry->name) : INT64_MAX;
}

int
scan_longest_wait(struct spool *spool, int64_t real_ms, int64_t *ret_wait_ms)
{
	struct scan *scan;
	struct queue_entry entry = { .name = "" };
	int64_t longest = 0;
	int r = scan_open(spool, real_ms, &scan);

	if (r < 0)
		return r;
	while ((r = scan_next(scan, &entry)) > 0) {
		int64_t due = due_real_ms(&entry);

		if (due < real_ms && real_ms - due > longest)
			longest = real_ms - due;
		/* Buckets come oldest first: the first entry is the oldest. */
		if (entry.place == QUEUE_RETRY)
			break;
	}
	scan_close(scan);
	*ret_wait_ms = longest;
	return r < 0 ? r : 0;
}

/* Choose the minute of the next run, if a bucket makes that earlier. */
static void
choose_minute(int64_t bucket, int64_t real_ms, int64_t *minute)
{
	if (is_due(bucket, (real_ms + NEXT_RUN_MARGIN_MS) / 60000))
		bucket = real_ms / 60000 + 2;
	if (bucket < *minute)
		*minute = bucket;
}

static int
choose_next_run(DIR *folder, int64_t real_ms, int64_t *ret_minute)
{
	int64_t earliest = INT64_MAX, minute;
	const char *name;
	int r;

	while ((r = next_name(folder, &name)) == 0 && name != NULL)
		if (name_parse_bucket(name, &minute) == 0)
			choose_minute(minute, real_ms, &earliest);
	if (r < 0 || earliest == INT64_MAX)
		return r;
	*ret_minute = earliest;
	return 1;
}

int
scan_find_next_run(const char *queue_path, int64_t real_ms, int64_t *ret_minute)
{
	char path[PATH_MAX];
	DIR *folder;
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", queue_path, NAME_RETRY) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	if ((folder = opendir(path)) == NULL)
		return errno == ENOENT ? 0 : -errno;
	r = choose_next_run(folder, real_ms, ret_minute);
	closedir(folder);
	return r;
}
