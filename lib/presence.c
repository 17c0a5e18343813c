/* SPDX-License-Identifier: ISC */

/*
 * presence.c - count processes by the locks that they hold.
 *
 * Each process locks an octet chosen at random: process ids are not unique
 * across the hosts and containers that may share a spool.
 */

#include "config.h"

#include <sys/random.h>

#include <errno.h>
#include <fcntl.h>

#include "lib/presence.h"

#define OCTETS ((off_t)1 << 62)

int
presence_enter(int fd)
{
	struct flock lock = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_len = 1 };
	uint64_t chance;

	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return -EIO;
	lock.l_start = (off_t)(chance % (uint64_t)OCTETS);
	return fcntl(fd, F_SETLK, &lock) == 0 ? 0 : -errno;
}

/* Find the first lock from start up to end, if there is one. The kernel reports
 * any lock in a range, not always the first. */
static int
find_first(int fd, off_t start, off_t end, struct flock *ret_lock)
{
	ret_lock->l_type = F_UNLCK;
	while (start < end) {
		struct flock lock = { .l_type = F_WRLCK,
			.l_whence = SEEK_SET,
			.l_start = start,
			.l_len = end - start };

		if (fcntl(fd, F_GETLK, &lock) == -1)
			return -errno;
		if (lock.l_type == F_UNLCK)
			break;
		*ret_lock = lock;
		end = lock.l_start;
	}
	return 0;
}

int
presence_count(int fd, uint64_t *ret_count)
{
	struct flock lock;
	off_t start = 0;
	int r;

	*ret_count = 0;
	while ((r = find_first(fd, start, OCTETS, &lock)) == 0 &&
	    lock.l_type != F_UNLCK) {
		++*ret_count;
		start = lock.l_start + lock.l_len;
	}
	return r;
}
