/* SPDX-License-Identifier: ISC */

/*
 * clock.c - preloaded: set a program's real-time clock ahead.
 *
 * Adds CLOCK_AHEAD seconds to what the program reads from the real-time clock.
 * Monotonic clocks, and thus all deadlines, are unchanged. For tests of what
 * happens minutes or days from now.
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
