/* SPDX-License-Identifier: ISC */

/*
 * queue.c - move messages within the queue and out of it.
 *
 *	queue/new/<id>			accepted, not yet tried
 *	queue/retry/<minute>/<id>	next attempt not before <minute>
 *	queue/attempts/<id>		the results of its attempts so far
 *	queue/failed/<id>		given up on
 *	queue/damaged/<name>		set aside: not an intact message
 *
 * Each move is one rename or unlink. A message's content never changes.
 */

#include "config.h"

#include <sys/inotify.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/spool/layout.h"
#include "lib/spool/names.h"
#include "lib/spool/queue.h"

#define MOVE_TRIES 10
#define DIRTY_MAX 64

/* Folders that have changed since they were last flushed. */
struct queue {
	struct spool *spool;
	bool has_stale_names;
	bool is_new_dirty;
	size_t dirty_count;
	int64_t dirty_minutes[DIRTY_MAX]; /* buckets */
};

static int
folder_fd(struct queue *queue, enum spool_folder folder)
{
	return layout_folder(queue->spool, folder);
}

static int
root_fd(struct queue *queue)
{
	return folder_fd(queue, FOLDER_ROOT);
}

int
queue_open(struct spool *spool, struct queue **ret_queue)
{
	struct queue *queue = calloc(1, sizeof(*queue));

	if (queue == NULL)
		return -ENOMEM;
	queue->spool = spool;
	queue->has_stale_names = layout_has_stale_names(spool);
	*ret_queue = queue;
	return 0;
}

void
queue_close(struct queue *queue)
{
	free(queue);
}

static int
flush_folder(int fd)
{
	int r = fsync(fd) == 0 ? 0 : -errno;

	close(fd);
	return r;
}

/* A bucket that is gone was made durable with its parent folder. */
static int
flush_bucket(struct queue *queue, int64_t minute)
{
	char path[ENTRY_PATH_SIZE];
	struct queue_entry bucket = { .place = QUEUE_RETRY, .minute = minute };
	int fd;

	entry_format_path(&bucket, path);
	fd = openat(root_fd(queue), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0 : -errno;
	return flush_folder(fd);
}

bool
queue_is_dirty(const struct queue *queue)
{
	return queue->is_new_dirty || queue->dirty_count > 0;
}

static int
flush_folders(struct queue *queue)
{
	static const enum spool_folder folders[] = { FOLDER_RETRY,
		FOLDER_FAILED, FOLDER_NEW };
	int fd, r;

	for (size_t i = 0; i < queue->dirty_count; i++)
		if ((r = flush_bucket(queue, queue->dirty_minutes[i])) < 0)
			return r;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if ((fd = folder_fd(queue, folders[i])) < 0)
			return fd;
		if (fsync(fd) == -1)
			return -errno;
	}
	return 0;
}

int
queue_sync(struct queue *queue)
{
	int r;

	if (!queue_is_dirty(queue))
		return 0;
	if ((r = layout_commit(queue->spool)) == -EOPNOTSUPP)
		r = flush_folders(queue);
	if (r < 0)
		return r;
	queue->is_new_dirty = false;
	queue->dirty_count = 0;
	return 0;
}

/* Note that the entry's folder has changed. */
static void
mark_dirty(struct queue *queue, const struct queue_entry *entry)
{
	if (entry->place == QUEUE_NEW) {
		queue->is_new_dirty = true;
		return;
	}
	for (size_t i = 0; i < queue->dirty_count; i++)
		if (queue->dirty_minutes[i] == entry->minute)
			return;
	if (queue->dirty_count == DIRTY_MAX)
		(void)queue_sync(queue);
	if (queue->dirty_count < DIRTY_MAX)
		queue->dirty_minutes[queue->dirty_count++] = entry->minute;
}

/* Note that an entry has left its folder; remove a bucket after its last
 * one. */
static void
leave_folder(struct queue *queue, const struct queue_entry *entry)
{
	char path[ENTRY_PATH_SIZE];
	struct queue_entry bucket = *entry;

	mark_dirty(queue, entry);
	if (entry->place != QUEUE_RETRY)
		return;
	bucket.name[0] = '\0';
	entry_format_path(&bucket, path);
	(void)unlinkat(root_fd(queue), path, AT_REMOVEDIR);
}

static int
move_to_bucket(struct queue *queue, const struct claim *claim,
    const struct queue_entry *to)
{
	char from_path[ENTRY_PATH_SIZE], to_path[ENTRY_PATH_SIZE],
	    bucket[NAME_BUCKET_SIZE];
	int fd = root_fd(queue);
	int retry_fd = folder_fd(queue, FOLDER_RETRY);

	if (retry_fd < 0)
		return retry_fd;
	entry_format_path(&claim->entry, from_path);
	entry_format_path(to, to_path);
	if (strcmp(from_path, to_path) == 0)
		return 0;
	name_format_bucket(to->minute, bucket);
	for (int i = 0; i < MOVE_TRIES; i++) {
		if (mkdirat(retry_fd, bucket, 0700) == -1 && errno != EEXIST)
			return -errno;
		if (renameat(fd, from_path, fd, to_path) == 0) {
			/* If a power cut has left the message with both names,
			 * rename(2) has done nothing. */
			(void)unlinkat(fd, from_path, 0);
			return 0;
		}
		/* The bucket may have been removed while it was empty. */
		if (errno != ENOENT)
			return -errno;
	}
	return -ENOENT;
}

int
queue_defer(struct queue *queue, struct claim *claim, int64_t minute)
{
	struct queue_entry to = claim->entry;
	int r;

	to.place = QUEUE_RETRY;
	to.minute = minute;
	if ((r = move_to_bucket(queue, claim, &to)) < 0)
		return r;
	mark_dirty(queue, &to);
	leave_folder(queue, &claim->entry);
	claim->entry = to;
	return 0;
}

int
queue_confirm(struct queue *queue, struct claim *claim, int64_t minute)
{
	int r;

	if (!queue->has_stale_names)
		return 0;
	r = queue_defer(queue, claim, minute);
	return r == -ESTALE ? -ENOENT : r;
}

int
queue_finish(struct queue *queue, struct claim *claim)
{
	char path[ENTRY_PATH_SIZE];

	entry_format_path(&claim->entry, path);
	if (unlinkat(root_fd(queue), path, 0) == -1)
		return -errno;
	(void)unlinkat(folder_fd(queue, FOLDER_ATTEMPTS), claim->entry.name, 0);
	leave_folder(queue, &claim->entry);
	return 0;
}

static int
move_out(struct queue *queue, const struct queue_entry *entry,
    enum spool_folder folder)
{
	char path[ENTRY_PATH_SIZE];
	int r;

	entry_format_path(entry, path);
	r = layout_keep(root_fd(queue), path, folder_fd(queue, folder));
	if (r == 0)
		leave_folder(queue, entry);
	return r;
}

int
queue_fail(struct queue *queue, struct claim *claim)
{
	return move_out(queue, &claim->entry, FOLDER_FAILED);
}

int
queue_set_aside(struct queue *queue, const struct queue_entry *entry)
{
	return move_out(queue, entry, FOLDER_DAMAGED);
}

static int
add_watch(int watch_fd, int folder_fd, const char *name, uint32_t events)
{
	char path[sizeof("/proc/self/fd/2147483647/") + NAME_MAX];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", folder_fd,
	    name);
	return inotify_add_watch(watch_fd, path, events) == -1 ? -errno : 0;
}

int
queue_watch(struct queue *queue)
{
	int fd, r;

	if ((fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) == -1)
		return -errno;
	/* The removal of a folder shows only in its parent, because we hold the
	 * folder open. */
	if ((r = add_watch(fd, root_fd(queue), NAME_NEW,
		 IN_CREATE | IN_MOVED_TO)) < 0 ||
	    (r = add_watch(fd, root_fd(queue), NAME_QUEUE,
		 IN_DELETE | IN_MOVED_FROM)) < 0) {
		close(fd);
		return r;
	}
	return fd;
}
