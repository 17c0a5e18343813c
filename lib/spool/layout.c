/* SPDX-License-Identifier: ISC */

/*
 * layout.c - the folders of the spool, and files in them.
 *
 *	key			the key of tokens, made once (key.c)
 *	counters, sessions	shown by smtp-health
 *	able			its time is that of the last probe (probe.c)
 *	scratch/		drafts, if files cannot be made without a name
 *	policies/		TLS policies of domains (cache.c)
 *	unreached/		unreachable destinations (unreachable.c)
 *	faults/			reasons why a program cannot work (fault.c)
 *	2026-11-22/		mail stored on that day
 *	queue/new, retry, attempts, failed, damaged
 *
 * Folders are opened when they are first needed. DESIGN has the table of all
 * states that a crash can leave, with the action for each.
 */

#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/id.h"
#include "lib/spool/filesystem.h"
#include "lib/spool/layout.h"
#include "lib/spool/names.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

static const char *const folder_names[FOLDERS] = {
	[FOLDER_ROOT] = ".",
	[FOLDER_QUEUE] = NAME_QUEUE,
	[FOLDER_NEW] = NAME_NEW,
	[FOLDER_RETRY] = NAME_RETRY,
	[FOLDER_ATTEMPTS] = NAME_ATTEMPTS,
	[FOLDER_FAILED] = NAME_FAILED,
	[FOLDER_DAMAGED] = NAME_DAMAGED,
	[FOLDER_SCRATCH] = NAME_SCRATCH,
	[FOLDER_POLICIES] = NAME_POLICIES,
	[FOLDER_UNREACHABLE] = NAME_UNREACHED,
	[FOLDER_FAULTS] = NAME_FAULTS,
};

static int
open_folder(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -errno;
	return fd;
}

const char *
layout_folder_name(enum spool_folder folder)
{
	return folder_names[folder];
}

int
layout_open_folder(int parent_fd, const char *name)
{
	int fd = open_folder(parent_fd, name);

	if (fd != -ENOENT)
		return fd;
	if (mkdirat(parent_fd, name, 0700) == -1 && errno != EEXIST)
		return -errno;
	return open_folder(parent_fd, name);
}

/* Open the spool's folder; make it and its parents if they are missing. */
int
layout_open_root(const char *path)
{
	char partial[PATH_MAX];
	int fd = open_folder(AT_FDCWD, path);

	if (fd != -ENOENT)
		return fd;
	if (strlcpy(partial, path, sizeof(partial)) >= sizeof(partial))
		return -ENAMETOOLONG;
	for (size_t n = strlen(partial); n > 1 && partial[n - 1] == '/'; n--)
		partial[n - 1] = '\0'; /* does not end a parent */
	for (char *slash = strchr(partial + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(partial, 0755) == -1 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return layout_open_folder(AT_FDCWD, partial);
}

int
layout_open(struct spool *spool, int root_fd)
{
	int fd;

	for (int i = 0; i < FOLDERS; i++)
		spool->folders[i] = -1;
	spool->folders[FOLDER_ROOT] = root_fd;
	fd = layout_folder(spool, FOLDER_NEW);
	return fd < 0 ? fd : 0;
}

void
layout_close(struct spool *spool)
{
	for (int i = 0; i < FOLDERS; i++)
		if (spool->folders[i] >= 0)
			close(spool->folders[i]);
	layout_close_day(spool);
	if (spool->has_flush)
		filesystem_close_flush(&spool->flush);
}

/* Make missing folders. */
static int
make_folders(int root_fd)
{
	int fd;

	for (int i = FOLDER_NEW; i < FOLDERS; i++) {
		if ((fd = layout_open_folder(root_fd, folder_names[i])) < 0)
			return fd;
		close(fd);
	}
	return 0;
}

/* Make missing folders, durably. */
static int
make_layout(int root_fd)
{
	int queue_fd = layout_open_folder(root_fd, NAME_QUEUE), r;

	if (queue_fd < 0)
		return queue_fd;
	r = make_folders(root_fd);
	if (r == 0 && (fsync(queue_fd) == -1 || fsync(root_fd) == -1))
		r = -errno;
	close(queue_fd);
	return r;
}

int
layout_folder(struct spool *spool, enum spool_folder folder)
{
	int *fd = &spool->folders[folder], root_fd, r;

	if (*fd >= 0)
		return *fd;
	root_fd = spool->folders[FOLDER_ROOT];
	*fd = open_folder(root_fd, folder_names[folder]);
	if (*fd != -ENOENT)
		return *fd;
	if ((r = make_layout(root_fd)) < 0)
		return r;
	return *fd = open_folder(root_fd, folder_names[folder]);
}

int
layout_day_folder(struct spool *spool, int64_t real_ms)
{
	int64_t day = real_ms / DAY_MS;
	char name[NAME_DAY_SIZE];

	if (spool->day_fd >= 0 && (spool->is_day_kept || spool->day == day))
		return spool->day_fd;
	layout_close_day(spool);
	name_format_day(real_ms, name);
	spool->day = day;
	return spool->day_fd =
		   layout_open_folder(spool->folders[FOLDER_ROOT], name);
}

void
layout_keep_day(struct spool *spool)
{
	spool->is_day_kept = true;
}

void
layout_close_day(struct spool *spool)
{
	if (spool->day_fd >= 0)
		close(spool->day_fd);
	spool->day_fd = -1;
}

int
layout_flush_names(struct spool *spool)
{
	if (fsync(spool->day_fd) == -1 ||
	    fsync(spool->folders[FOLDER_NEW]) == -1 ||
	    fsync(spool->folders[FOLDER_ROOT]) == -1)
		return -errno;
	return 0;
}

int
layout_open_unnamed(struct spool *spool, const char *scratch_name,
    bool *ret_is_named)
{
	int folder_fd = layout_folder(spool, FOLDER_SCRATCH), fd;

	if (folder_fd < 0)
		return folder_fd;
	*ret_is_named = false;
	fd = openat(folder_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	/* Errors of kernels for a file system without O_TMPFILE. */
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
		return -errno;

	*ret_is_named = true;
	fd = openat(folder_fd, scratch_name,
	    O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd == -1)
		return -errno;
	return fd;
}

/* Link a file that was made without a name by its descriptor: directly if the
 * kernel permits it, else by its entry in /proc. */
static int
link_descriptor(int fd, int folder_fd, const char *name)
{
	char path[sizeof("/proc/self/fd/2147483647")];

	if (linkat(fd, "", folder_fd, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT && errno != EPERM)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, folder_fd, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return -errno;
}

int
layout_link(struct spool *spool, int fd, const char *scratch_name,
    bool is_named, int folder_fd, const char *name)
{
	if (!is_named)
		return link_descriptor(fd, folder_fd, name);
	if (linkat(layout_folder(spool, FOLDER_SCRATCH), scratch_name,
		folder_fd, name, 0) == 0)
		return 0;
	return -errno;
}

int
layout_open_listing(struct spool *spool, enum spool_folder folder,
    DIR **ret_listing)
{
	int folder_fd = layout_folder(spool, folder), fd;

	if (folder_fd < 0)
		return folder_fd;
	if ((fd = open_folder(folder_fd, ".")) < 0)
		return fd;
	if ((*ret_listing = fdopendir(fd)) == NULL) {
		close(fd);
		return -ENOMEM;
	}
	return 0;
}

int
layout_keep(int from_fd, const char *name, int to_fd)
{
	char kept_name[NAME_MAX + 1], suffix[ID_SIZE];
	const char *slash = strrchr(name, '/');
	const char *last = slash != NULL ? slash + 1 : name;
	int r;

	if (to_fd < 0)
		return to_fd;
	(void)strlcpy(kept_name, last, sizeof(kept_name));
	if (faccessat(to_fd, last, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		if ((r = id_make(suffix)) < 0)
			return r;
		(void)snprintf(kept_name, sizeof(kept_name), "%.200s.%s", last,
		    suffix);
	}
	return renameat(from_fd, name, to_fd, kept_name) == 0 ? 0 : -errno;
}

bool
layout_is_flush_enough(struct spool *spool)
{
	if (!spool->has_flush)
		filesystem_open_flush(&spool->flush,
		    spool->folders[FOLDER_ROOT]);
	spool->has_flush = true;
	return filesystem_is_flush_enough(&spool->flush);
}

int
layout_commit(struct spool *spool)
{
	return filesystem_commit(spool->folders[FOLDER_ROOT]);
}

bool
layout_has_stale_names(struct spool *spool)
{
	return filesystem_has_stale_names(spool->folders[FOLDER_ROOT]);
}

ssize_t
layout_read(int fd, void *ret_data, size_t size_bytes, uint64_t offset)
{
	ssize_t n;

	do
		n = pread(fd, ret_data, size_bytes, (off_t)offset);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

ssize_t
layout_read_start(int fd, char *ret_data, size_t size_bytes)
{
	size_t used = 0;

	while (used < size_bytes) {
		ssize_t n =
		    layout_read(fd, ret_data + used, size_bytes - used, used);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

int
layout_write(int fd, const void *data, size_t size_bytes, int64_t offset)
{
	const char *p = data;

	while (size_bytes > 0) {
		ssize_t n = pwrite(fd, p, size_bytes, offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		p += n;
		offset += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}
