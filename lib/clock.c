/* SPDX-License-Identifier: ISC */

/*
 * clock.c - the two clocks and the date of RFC 5322 section 3.3.
 *
 * The names of days and months do not depend on the locale.
 */

#include "config.h"

#include <stdio.h>
#include <time.h>

#include "lib/clock.h"

static int64_t
read_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_real_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

void
clock_format_date(int64_t real_ms, char ret_date[CLOCK_DATE_SIZE])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(real_ms / 1000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	(void)snprintf(ret_date, CLOCK_DATE_SIZE,
	    "%.3s, %d %.3s %04d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday,
	    tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour,
	    tm.tm_min, tm.tm_sec);
}
