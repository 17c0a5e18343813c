/* SPDX-License-Identifier: ISC */

/*
 * names.c - names of files and folders are in UTC and sort by time; names of
 * another form are not parsed.
 */

#include "config.h"

#include <errno.h>
#include <time.h>

#include "lib/spool/names.h"
#include "t/unit/tap.h"

/* As date -u -d @SECONDS writes them. */
/* clang-format off */
static const struct { int64_t real_ms; const char *day; } days[] = {
	{ 0, "1970-01-01" },
	{ 951868799999, "2000-02-29" },
	{ 951868800000, "2000-03-01" },
	{ 1763836310123, "2025-11-22" },
	{ 253402300799000, "9999-12-31" },
};

static const struct { int64_t minute; const char *bucket; } buckets[] = {
	{ 0, "197001010000" },
	{ 951868799 / 60, "200002292359" },
	{ 1763836310 / 60, "202511221831" },
	{ 4223371679, "999912312359" },
};

static const char *const not_buckets[] = {
	"", "0", "20251122183", "2025112218311", "2025-1122183", "20251122183a",
	" 20251122183", "202500221831", "202513221831", "202511001831",
	"202511311831", "202511222431", "202511221860", "202502291831",
	"210002291831", "attempts", ".", "..", "-20251122183",
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

int
main(void)
{
	char day[NAME_DAY_SIZE], bucket[NAME_BUCKET_SIZE], mail[NAME_MAIL_SIZE];
	int64_t minute;

	need(setenv("TZ", "Pacific/Auckland", 1) == 0);
	tzset();
	for (size_t i = 0; i < COUNT(days); i++) {
		name_format_day(days[i].real_ms, day);
		is_str(day, days[i].day, "day of %" PRId64, days[i].real_ms);
	}
	for (size_t i = 0; i < COUNT(buckets); i++) {
		name_format_bucket(buckets[i].minute, bucket);
		is_str(bucket, buckets[i].bucket, "bucket of minute %" PRId64,
		    buckets[i].minute);
		is_int(name_parse_bucket(buckets[i].bucket, &minute), 0,
		    "bucket %s is read", buckets[i].bucket);
		is_int(minute, buckets[i].minute, "minute of bucket %s",
		    buckets[i].bucket);
	}
	for (size_t i = 0; i < COUNT(not_buckets); i++)
		is_int(name_parse_bucket(not_buckets[i], &minute), -EBADMSG,
		    "\"%s\" is not a bucket", not_buckets[i]);
	name_format_mail("0123456789abcdef01234567",
	    "00112233445566778899aabbccddeeff", mail);
	is_str(mail,
	    "0123456789abcdef01234567_00112233445566778899aabbccddeeff.eml",
	    "a recipient's copy is <id>_<token>.eml");
	return done_testing();
}
