/* SPDX-License-Identifier: ISC */

/*
 * clock.c - let a program believe that it is later than it is.
 *
 * Preloaded, it adds CLOCK_AHEAD seconds to the real-time clock that the
 * program asks for; clocks that are never set, and so all deadlines, stay as
 * they are. For tests of what happens minutes and days from now.
 */

#include <sys/syscall.h>

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	const char *ahead_sec = getenv("CLOCK_AHEAD");
	int r = (int)syscall(SYS_clock_gettime, clock, ret_time);

	if (r == 0 && clock == CLOCK_REALTIME && ahead_sec != NULL)
		ret_time->tv_sec += strtol(ahead_sec, NULL, 10);
	return r;
}
