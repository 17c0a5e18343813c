/* SPDX-License-Identifier: ISC */

/*
 * presence.c - count processes by the locks that they hold.
 *
 * The octet is chosen at random: process ids are not unique across the hosts
 * and containers that may share a spool.
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

/* Count the locks from start up to end. The kernel tells one of them, any one;
 * the others are to its left and to its right. */
static int
count_between(int fd, off_t start, off_t end, uint64_t *count)
{
	while (start < end) {
		struct flock lock = { .l_type = F_WRLCK,
			.l_whence = SEEK_SET,
			.l_start = start,
			.l_len = end - start };
		int r;

		if (fcntl(fd, F_GETLK, &lock) == -1)
			return -errno;
		if (lock.l_type == F_UNLCK)
			break;
		++*count;
		r = count_between(fd, start, lock.l_start, count);
		if (r < 0)
			return r;
		start = lock.l_start + lock.l_len;
	}
	return 0;
}

int
presence_count(int fd, uint64_t *ret_count)
{
	*ret_count = 0;
	return count_between(fd, 0, OCTETS, ret_count);
}
