/* SPDX-License-Identifier: ISC */

/*
 * sts.c - MTA-STS records and policies are parsed; invalid ones are refused.
 */

#include "config.h"

#include <errno.h>

#include "smtp-deliver/policy/sts.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define GOOD "version: STSv1\nmode: enforce\nmax_age: 86400\nmx: mx.test\n"

/* TXT records, and the id, or NULL. */
static const struct {
	const char *text, *id;
} records[] = {
	{ "v=STSv1; id=20160831085700Z;", "20160831085700Z" },
	{ "v=STSv1;id=1", "1" },
	{ "v=STSv1 ; new=thing; id = a1 ; id=b", "a1" },
	{ "v=STSv1; id=12345678901234567890123456789012",
	    "12345678901234567890123456789012" },
	{ "v=STSv1; id=123456789012345678901234567890123", NULL },
	{ "v=STSv1; id=", NULL },
	{ "v=STSv1; id=a-b", NULL },
	{ "v=STSv1;", NULL },
	{ "v=STSv1", NULL },
	{ "v=STSv2; id=1", NULL },
	{ "id=1; v=STSv1", NULL },
	{ "", NULL },
};

static void
check_record(size_t row)
{
	char id[STS_ID_SIZE] = "";
	int r = sts_parse_record(records[row].text, id);

	is_int(r, records[row].id != NULL ? 0 : -EBADMSG, "record: \"%s\"",
	    records[row].text);
	if (records[row].id != NULL)
		is_str(id, records[row].id, "its id");
}

/* Policies, and the results. */
static const struct {
	const char *name, *text;
	int result;
	enum sts_mode mode;
	int64_t max_age_sec;
	size_t mx_count;
} policies[] = {
	{ "one with LF", GOOD, 0, STS_ENFORCE, 86400, 1 },
	{ "one with CRLF and no last end of line",
	    "version: STSv1\r\nmode: testing\r\nmx: a.test\r\nmx: *.b.test\r\n"
	    "max_age: 604800",
	    0, STS_TESTING, 604800, 2 },
	{ "mode none", "version: STSv1\nmode: none\nmax_age: 60\n", 0, STS_NONE,
	    60, 0 },
	{ "blanks around values, empty lines",
	    "version:STSv1  \n\nmode:\tenforce\nmax_age:  60\nmx:mx.test\n\n",
	    0, STS_ENFORCE, 60, 1 },
	{ "fields that are not known", GOOD "more: of this\n", 0, STS_ENFORCE,
	    86400, 1 },
	{ "repeated fields, of which the first counts",
	    GOOD "mode: none\nmax_age: x\nversion: STSv2\n", 0, STS_ENFORCE,
	    86400, 1 },
	{ "a max_age of more than a year",
	    "version: STSv1\nmode: none\nmax_age: 9999999999\n", 0, STS_NONE,
	    STS_AGE_MAX_SEC, 0 },
	{ "nothing", "", -EBADMSG, 0, 0, 0 },
	{ "no version", "mode: none\nmax_age: 60\n", -EBADMSG, 0, 0, 0 },
	{ "another version", "version: STSv2\nmode: none\nmax_age: 60\n",
	    -EBADMSG, 0, 0, 0 },
	{ "no mode", "version: STSv1\nmax_age: 60\nmx: a.test\n", -EBADMSG, 0,
	    0, 0 },
	{ "an unknown mode", "version: STSv1\nmode: strict\nmax_age: 60\n",
	    -EBADMSG, 0, 0, 0 },
	{ "no max_age", "version: STSv1\nmode: enforce\nmx: a.test\n", -EBADMSG,
	    0, 0, 0 },
	{ "a max_age that is not a number",
	    "version: STSv1\nmode: none\nmax_age: -1\n", -EBADMSG, 0, 0, 0 },
	{ "a max_age that is too long",
	    "version: STSv1\nmode: none\nmax_age: 00000000001\n", -EBADMSG, 0,
	    0, 0 },
	{ "no host", "version: STSv1\nmode: enforce\nmax_age: 60\n", -EBADMSG,
	    0, 0, 0 },
	{ "an empty host", GOOD "mx:\n", 0, STS_ENFORCE, 86400, 1 },
	{ "a star alone", GOOD "mx: *\n", 0, STS_ENFORCE, 86400, 1 },
	{ "a star within", GOOD "mx: a.*.test\n", 0, STS_ENFORCE, 86400, 1 },
	{ "two dots", GOOD "mx: a..test\n", 0, STS_ENFORCE, 86400, 1 },
	{ "a dot at the end", GOOD "mx: a.test.\n", 0, STS_ENFORCE, 86400, 1 },
	{ "a space within", GOOD "mx: a test\n", 0, STS_ENFORCE, 86400, 1 },
	{ "no host but an invalid one",
	    "version: STSv1\nmode: enforce\nmax_age: 60\nmx: a b\n", -EBADMSG,
	    0, 0, 0 },
	{ "several invalid ones",
	    "version: STSv1\nmode: testing\nmax_age: 60\nmx: *\nmx: a..b\n",
	    -EBADMSG, 0, 0, 0 },
	{ "none, with an invalid one",
	    "version: STSv1\nmode: none\nmax_age: 60\nmx: a b\n", 0, STS_NONE,
	    60, 0 },
	{ "a line that is not a field", GOOD "<html>\n", -EBADMSG, 0, 0, 0 },
};

static void
check_policy(size_t row)
{
	static struct sts_policy policy;
	int r = sts_parse_policy(policies[row].text, strlen(policies[row].text),
	    &policy);

	is_int(r, policies[row].result, "policy: %s", policies[row].name);
	if (r < 0)
		return;
	ok(policy.mode == policies[row].mode &&
		policy.max_age_sec == policies[row].max_age_sec &&
		policy.mx_count == policies[row].mx_count,
	    "has its mode, max_age and hosts");
}

static const struct {
	const char *pattern, *host;
	bool is_match;
} hosts[] = {
	{ "mx.test", "mx.test", true },
	{ "mx.test", "MX.Test", true },
	{ "mx.test", "a.mx.test", false },
	{ "mx.test", "mx.test.example", false },
	{ "*.mx.test", "a.mx.test", true },
	{ "*.mx.test", "mx.test", false },
	{ "*.mx.test", "b.a.mx.test", false },
	{ "*.mx.test", ".mx.test", false },
	{ "*.mx.test", "192.0.2.1", false },
};

static void
check_host(size_t row)
{
	static struct sts_policy policy;
	char text[128];

	(void)snprintf(text, sizeof(text),
	    "version: STSv1\nmode: enforce\nmax_age: 1\nmx: no.test\nmx: %s",
	    hosts[row].pattern);
	need(sts_parse_policy(text, strlen(text), &policy) == 0);
	ok(sts_has_host(&policy, hosts[row].host) == hosts[row].is_match,
	    "%s %s %s", hosts[row].host,
	    hosts[row].is_match ? "matches" : "does not match",
	    hosts[row].pattern);
}

static void
many_hosts_are_too_many(void)
{
	static char text[STS_TEXT_MAX] = GOOD;
	static struct sts_policy policy;

	for (int i = 1; i < STS_MX_MAX; i++)
		(void)strlcat(text, "mx: more.test\n", sizeof(text));
	is_int(sts_parse_policy(text, strlen(text), &policy), 0,
	    "STS_MX_MAX hosts are accepted");
	(void)strlcat(text, "mx: last.test\n", sizeof(text));
	is_int(sts_parse_policy(text, strlen(text), &policy), 0,
	    "and so is one more");
	ok(policy.mode == STS_ENFORCE && sts_has_host(&policy, "more.test") &&
		!sts_has_host(&policy, "last.test"),
	    "which is left out");
	is_int(sts_parse_policy("version: STSv1\0", 15, &policy), -EBADMSG,
	    "a NUL is refused");
}

int
main(void)
{
	for (size_t row = 0; row < COUNT(records); row++)
		check_record(row);
	for (size_t row = 0; row < COUNT(policies); row++)
		check_policy(row);
	for (size_t row = 0; row < COUNT(hosts); row++)
		check_host(row);
	many_hosts_are_too_many();
	return done_testing();
}
