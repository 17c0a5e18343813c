/* SPDX-License-Identifier: ISC */

/*
 * names.c - the names of files and folders in the spool.
 *
 * Pure. Names are in UTC, sort by time and hold no address.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/spool/names.h"

void
name_format_day(int64_t real_ms, char ret_name[NAME_DAY_SIZE])
{
	time_t when = (time_t)(real_ms / 1000);
	struct tm tm;

	gmtime_r(&when, &tm);
	if (strftime(ret_name, NAME_DAY_SIZE, "%Y-%m-%d", &tm) == 0)
		ret_name[0] = '\0';
}

void
name_format_mail(const char *id, const char *token,
    char ret_name[NAME_MAIL_SIZE])
{
	(void)snprintf(ret_name, NAME_MAIL_SIZE, "%s_%s.eml", id, token);
}

void
name_format_bucket(int64_t minute, char ret_name[NAME_BUCKET_SIZE])
{
	time_t when = (time_t)(minute * 60);
	struct tm tm;

	gmtime_r(&when, &tm);
	if (strftime(ret_name, NAME_BUCKET_SIZE, "%Y%m%d%H%M", &tm) == 0)
		ret_name[0] = '\0';
}

static int
two_digits(const char *p)
{
	return (p[0] - '0') * 10 + (p[1] - '0');
}

int
name_parse_bucket(const char *text, int64_t *ret_minute)
{
	char again[NAME_BUCKET_SIZE];
	struct tm tm = { .tm_isdst = 0 };

	if (strlen(text) != NAME_BUCKET_SIZE - 1 ||
	    strspn(text, "0123456789") != NAME_BUCKET_SIZE - 1)
		return -EBADMSG;
	tm.tm_year = two_digits(text) * 100 + two_digits(text + 2) - 1900;
	tm.tm_mon = two_digits(text + 4) - 1;
	tm.tm_mday = two_digits(text + 6);
	tm.tm_hour = two_digits(text + 8);
	tm.tm_min = two_digits(text + 10);
	*ret_minute = timegm(&tm) / 60;

	/* Reject February 30th. */
	name_format_bucket(*ret_minute, again);
	return strcmp(text, again) == 0 ? 0 : -EBADMSG;
}
