/* SPDX-License-Identifier: ISC */

/*
 * cache.c - small files with facts about destinations.
 *
 * The facts can be found out again, so nothing is flushed: readers detect a
 * file that a power cut has torn.
 */

#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/id.h"
#include "lib/spool/layout.h"
#include "lib/spool/cache.h"

static const enum spool_folder folders[] = {
	[CACHE_POLICY] = FOLDER_POLICIES,
	[CACHE_UNREACHABLE] = FOLDER_UNREACHABLE,
};

int
cache_open(struct spool *spool, enum cache_kind kind, const char *about,
    struct cache_place *ret_place)
{
	int folder_fd = layout_folder(spool, folders[kind]), r;

	if (folder_fd < 0)
		return folder_fd;
	if ((r = spool_token(spool, about, ret_place->name)) < 0)
		return r;
	ret_place->folder_fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
	return ret_place->folder_fd == -1 ? -errno : 0;
}

ssize_t
cache_read(const struct cache_place *place, void *buffer, size_t size)
{
	int fd = openat(place->folder_fd, place->name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n;
	char more;

	if (fd == -1)
		return -errno;
	if ((n = pread(fd, buffer, size, 0)) == -1)
		n = -errno;
	else if (pread(fd, &more, 1, n) == 1)
		n = -EMSGSIZE;
	close(fd);
	return n;
}

int
cache_write(const struct cache_place *place, const void *data,
    size_t size_bytes)
{
	char name[TOKEN_SIZE + ID_SIZE], id[ID_SIZE];
	int fd, r;

	if ((r = id_make(id)) < 0)
		return r;
	(void)snprintf(name, sizeof(name), "%s.%s", place->name, id);
	fd = openat(place->folder_fd, name,
	    O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd == -1)
		return -errno;
	r = layout_write(fd, data, size_bytes, 0);
	close(fd);
	if (r == 0 &&
	    renameat(place->folder_fd, name, place->folder_fd, place->name) ==
		-1)
		r = -errno;
	if (r < 0)
		(void)unlinkat(place->folder_fd, name, 0);
	return r;
}

int
cache_remove(const struct cache_place *place)
{
	if (unlinkat(place->folder_fd, place->name, 0) == -1 && errno != ENOENT)
		return -errno;
	return 0;
}

static bool
is_token(const char *name)
{
	return strlen(name) == TOKEN_SIZE - 1 &&
	    name[strspn(name, "0123456789abcdef")] == '\0';
}

int
cache_count(struct spool *spool, enum cache_kind kind, uint64_t *ret_count)
{
	struct dirent *dirent;
	uint64_t count = 0;
	DIR *listing;
	int r = layout_open_listing(spool, folders[kind], &listing);

	if (r < 0)
		return r;
	while ((errno = 0, dirent = readdir(listing)) != NULL)
		count += is_token(dirent->d_name);
	r = -errno; /* 0 at the end */
	closedir(listing);
	/* cppcheck-suppress knownConditionTrueFalse ; readdir() has a say */
	if (r == 0)
		*ret_count = count;
	return r;
}
