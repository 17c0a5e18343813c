/* SPDX-License-Identifier: ISC */

/*
 * clock.c - dates as in RFC 5322, in UTC, whatever the locale and time zone.
 */

#include "config.h"

#include <locale.h>
#include <time.h>

#include "lib/clock.h"
#include "t/unit/tap.h"

/* As date -u -d @SECONDS writes them. */
/* clang-format off */
static const struct { int64_t real_ms; const char *date; } rows[] = {
	{ 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
	{ 999, "Thu, 1 Jan 1970 00:00:00 +0000" },
	{ 951868799999, "Tue, 29 Feb 2000 23:59:59 +0000" },
	{ 1763836310123, "Sat, 22 Nov 2025 18:31:50 +0000" },
	{ 1795372310000, "Sun, 22 Nov 2026 18:31:50 +0000" },
	{ 4102444799000, "Thu, 31 Dec 2099 23:59:59 +0000" },
	{ 253402300799000, "Fri, 31 Dec 9999 23:59:59 +0000" },
};
/* clang-format on */

static void
clocks_run(void)
{
	struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	int64_t mono_ms = clock_mono_ms(), real_ms = clock_real_ms();

	ok(real_ms / 1000 - time(NULL) <= 1,
	    "the real clock agrees with time(2)");
	nanosleep(&pause, NULL);
	ok(clock_mono_ms() - mono_ms >= 19, "the monotonic clock runs on");
	ok(clock_real_ms() > real_ms, "the real clock runs on");
}

int
main(void)
{
	char date[CLOCK_DATE_SIZE];

	(void)setlocale(LC_ALL, "");
	need(setenv("TZ", "Pacific/Auckland", 1) == 0);
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		clock_format_date(rows[i].real_ms, date);
		is_str(date, rows[i].date, "date of %" PRId64, rows[i].real_ms);
	}
	clocks_run();
	return done_testing();
}
