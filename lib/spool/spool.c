/* SPDX-License-Identifier: ISC */

/*
 * spool.c - open a spool and check that it is usable.
 *
 * layout.c has its folders, key.c its key.
 */

#include "config.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/pathstate.h"
#include "lib/spool/layout.h"
#include "lib/spool/names.h"

int
spool_open_folder(const char *path)
{
	return layout_open_root(path);
}

int
spool_open(const char *path, struct spool **ret_spool)
{
	int fd = layout_open_root(path);

	return fd < 0 ? fd : spool_open_at(fd, ret_spool);
}

int
spool_open_at(int folder_fd, struct spool **ret_spool)
{
	struct spool *spool = malloc(sizeof(*spool));
	int r;

	if (spool == NULL) {
		close(folder_fd);
		return -ENOMEM;
	}
	*spool = (struct spool){ .day_fd = -1 };
	if ((r = layout_open(spool, folder_fd)) < 0) {
		spool_close(spool);
		return r;
	}
	*ret_spool = spool;
	return 0;
}

static bool
has_file(const char *path, const char *name)
{
	char file[PATH_MAX];

	return snprintf(file, sizeof(file), "%s/%s", path, name) <
	    (int)sizeof(file) &&
	    access(file, F_OK) == 0;
}

/* The key may be elsewhere; the counters come later. */
bool
spool_exists(const char *path)
{
	return has_file(path, NAME_KEY) || has_file(path, NAME_COUNTERS);
}

void
spool_close(struct spool *spool)
{
	if (spool == NULL)
		return;
	layout_close(spool);
	key_clear(&spool->key);
	free(spool);
}

void
spool_reserve(struct spool *spool, int space_mib)
{
	spool->reserve_bytes = (uint64_t)space_mib * 1024 * 1024;
}

int
spool_check_space(struct spool *spool, uint64_t size_bytes)
{
	struct statvfs fs;

	if (fstatvfs(spool->folders[FOLDER_ROOT], &fs) == -1)
		return -errno;
	if ((uint64_t)fs.f_bavail * fs.f_frsize <
	    size_bytes + spool->reserve_bytes)
		return -ENOSPC;
	/* btrfs has no limit of files: it reports 0 of 0. */
	if (fs.f_files > 0 && fs.f_favail < SPOOL_RESERVE_FILES)
		return -ENOSPC;
	return 0;
}

int
spool_check_writable(struct spool *spool)
{
	char scratch_name[ID_SIZE];
	bool is_named;
	int fd, r;

	if ((r = id_make(scratch_name)) < 0)
		return r;
	fd = layout_open_unnamed(spool, scratch_name, &is_named);
	if (fd < 0)
		return fd;
	r = layout_write(fd, "", 1, 0);
	if (is_named)
		(void)unlinkat(layout_folder(spool, FOLDER_SCRATCH),
		    scratch_name, 0);
	close(fd);
	return r;
}

static uint64_t
add_pathstate(uint64_t state, const char *path, const char *name)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s/%s", path, name);
	return pathstate_add(state, full);
}

uint64_t
spool_get_folders_pathstate(const char *path)
{
	static const enum spool_folder folders[] = { FOLDER_ROOT, FOLDER_QUEUE,
		FOLDER_NEW, FOLDER_SCRATCH };
	uint64_t state = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		state =
		    add_pathstate(state, path, layout_folder_name(folders[i]));
	return state;
}

uint64_t
spool_get_pathstate(const char *path)
{
	uint64_t state = spool_get_folders_pathstate(path);

	state = add_pathstate(state, path, NAME_KEY);
	state = add_pathstate(state, path, NAME_COUNTERS);
	return add_pathstate(state, path, NAME_SESSIONS);
}

static bool
is_removed(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0;
}

bool
spool_is_gone(struct spool *spool)
{
	return is_removed(spool->folders[FOLDER_ROOT]) ||
	    is_removed(spool->folders[FOLDER_NEW]) ||
	    is_removed(spool->folders[FOLDER_RETRY]) ||
	    is_removed(spool->folders[FOLDER_ATTEMPTS]);
}

static int
open_file(struct spool *spool, const char *name)
{
	int fd = openat(spool->folders[FOLDER_ROOT], name,
	    O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1)
		return -errno;
	return fd;
}

int
spool_open_counters(struct spool *spool)
{
	return open_file(spool, NAME_COUNTERS);
}

int
spool_open_sessions(struct spool *spool)
{
	return open_file(spool, NAME_SESSIONS);
}
