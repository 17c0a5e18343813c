/* SPDX-License-Identifier: ISC */

/*
 * no-flock.c - preloaded: a broken flock(2) that grants every lock.
 */

#include <sys/file.h>

int
flock(int fd, int operation)
{
	(void)fd;
	(void)operation;
	return 0;
}
