/* SPDX-License-Identifier: ISC */

/*
 * policies.c - the TLS policies of domains, as they were last heard of.
 *
 * They can be had anew, so nothing is flushed: what a power cut leaves torn is
 * told by who reads it, and asked for again.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/id.h"
#include "lib/spool/layout.h"
#include "lib/spool/policies.h"

int
policies_open(struct spool *spool, const char *domain,
    struct policy_place *ret_place)
{
	int folder_fd = layout_folder(spool, FOLDER_POLICIES), r;

	if (folder_fd < 0)
		return folder_fd;
	if ((r = spool_token(spool, domain, ret_place->name)) < 0)
		return r;
	ret_place->folder_fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
	return ret_place->folder_fd == -1 ? -errno : 0;
}

ssize_t
policies_read(const struct policy_place *place, void *buffer, size_t size)
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
policies_write(const struct policy_place *place, const void *data,
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
