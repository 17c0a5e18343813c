/* SPDX-License-Identifier: ISC */

/*
 * dsn.c - the parameters of RFC 3461: valid values, and no others.
 */

#include "config.h"

#include <errno.h>

#include "lib/dsn.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X250 X50 X50 X50 X50 X50

/* clang-format off */

/* A value of NOTIFY, and its canonical form; NULL: invalid. */
static const struct { const char *value, *written; } notifies[] = {
	{ "NEVER", "NEVER" },
	{ "never", "NEVER" },
	{ "SUCCESS", "SUCCESS" },
	{ "Delay,Failure,Success", "SUCCESS,FAILURE,DELAY" },
	{ "", NULL },
	{ ",", NULL },
	{ "SUCCESS,", NULL },
	{ ",SUCCESS", NULL },
	{ "SUCCESS,SUCCESS", NULL },
	{ "SUCCESS, DELAY", NULL },
	{ "NEVER,SUCCESS", NULL },
	{ "DELAY,NEVER", NULL },
	{ "ALWAYS", NULL },
	{ "SUCCES", NULL },
	{ "SUCCESSES", NULL },
};

static const struct { const char *value; bool result; } envids[] = {
	{ "QQ314159", true },
	{ "a+20b+3Dc", true },
	{ X50 X50, true },
	{ X50 X50 "x", false },
	{ "", false },
	{ "a b", false },
	{ "a=b", false },
	{ "+", false },
	{ "+2", false },
	{ "a+2b", false }, /* digits are upper case */
	{ "a+0D+0A", false }, /* decodes to unprintable octets */
	{ "a+7F", false },
	{ "a+FC", false },
	{ "\x01", false },
	{ "\x7f", false },
	{ "\xc3\xbc", false },
};

static const struct {
	const char *value;
	bool is_utf8_allowed, result;
} orcpts[] = {
	{ "rfc822;bob@example.org", false, true },
	{ "RFC822;bob+2Btag@example.org", false, true },
	{ "x-other;any+20thing", false, true },
	{ "utf-8;gr\\x{FC}n@example.org", false, true },
	{ "utf-8;gr\xc3\xbcn@example.org", true, true },
	{ "utf-8;gr\xc3\xbcn@example.org", false, false },
	{ "utf-8;gr\xfcn@example.org", true, false },
	{ "rfc822;gr\xc3\xbcn@example.org", true, false },
	{ "bob@example.org", false, false },
	{ "rfc822;", false, false },
	{ ";bob@example.org", false, false },
	{ "rfc 822;bob", false, false },
	{ "rfc=822;bob", false, false },
	{ "rfc822;bob+0Aforged", false, false },
	{ "rfc822;" X250 X50 X50 X50 X50 X10 X10 X10 X10 "xxx", false, true },
	{ "rfc822;" X250 X50 X50 X50 X50 X10 X10 X10 X10 "xxxx", false, false },
};

static const struct { const char *given, *value; } normalized[] = {
	{ "rfc822;gr+C3+BCn+2Btag@example.org", "utf-8;gr\xc3\xbcn+2Btag@example.org" },
	{ "RFC822;gr\xc3\xbcn@example.org", "utf-8;gr\xc3\xbcn@example.org" },
	{ "UTF-8;gr+C3+BCn@example.org", "utf-8;gr\xc3\xbcn@example.org" },
	{ "rfc822;+F0+9F+93+A7@example.org", "utf-8;\xf0\x9f\x93\xa7@example.org" },
	{ "rfc822;gr+FCn@example.org", "utf-8;gr\xfcn@example.org" },
	{ "rfc822;bob+2Btag@example.org", "rfc822;bob+2Btag@example.org" },
	{ "utf-8;gr\\x{FC}n@example.org", "utf-8;gr\\x{FC}n@example.org" },
	{ "x-other;gr+C3+BCn", "x-other;gr+C3+BCn" },
	{ "rfc;gr+C3+BCn", "rfc;gr+C3+BCn" },
	{ "rfc822", "rfc822" },
	{ "rfc822;+", "rfc822;+" },
	{ "rfc822;+C", "rfc822;+C" },
	{ "+C3+BC", "+C3+BC" },
	{ "", "" },
};

static const struct { const char *value, *text; } decoded[] = {
	{ "QQ314159", "QQ314159" },
	{ "a+20b+3Dc+2B", "a b=c+" },
	{ "bob+2Btag@example.org", "bob+tag@example.org" },
	/* Text that is not xtext is unchanged. */
	{ "a+", "a+" },
	{ "a+2", "a+2" },
	{ "+zz", "+zz" },
	{ "", "" },
};
/* clang-format on */

static void
check_notify(const char *value, const char *written)
{
	char text[DSN_NOTIFY_SIZE];
	unsigned notify = 0;
	int r = dsn_parse_notify(value, &notify);

	is_int(r, written != NULL ? 0 : -EINVAL, "NOTIFY=%s", value);
	if (r == 0)
		is_str(dsn_format_notify(notify, text), written, "is %s",
		    written);
}

static void
check_return(void)
{
	enum dsn_return value = DSN_RETURN_UNSAID;

	is_int(dsn_parse_return("full", &value), 0, "RET=full");
	is_str(dsn_return_name(value), "FULL", "is FULL");
	is_int(dsn_parse_return("HDRS", &value), 0, "RET=HDRS");
	is_str(dsn_return_name(value), "HDRS", "is HDRS");
	is_int(dsn_parse_return("", &value), -EINVAL, "RET= is invalid");
	is_int(dsn_parse_return("ALL", &value), -EINVAL, "RET=ALL is invalid");
}

int
main(void)
{
	char text[DSN_TEXT_SIZE];

	for (size_t i = 0; i < COUNT(notifies); i++)
		check_notify(notifies[i].value, notifies[i].written);
	check_return();
	for (size_t i = 0; i < COUNT(envids); i++)
		is_int(is_dsn_envid(envids[i].value), envids[i].result,
		    "ENVID %zu", i);
	for (size_t i = 0; i < COUNT(orcpts); i++)
		is_int(is_dsn_orcpt(orcpts[i].value, orcpts[i].is_utf8_allowed),
		    orcpts[i].result, "ORCPT %zu", i);
	for (size_t i = 0; i < COUNT(normalized); i++) {
		(void)strlcpy(text, normalized[i].given, sizeof(text));
		dsn_normalize_orcpt(text);
		is_str(text, normalized[i].value, "ORCPT=%s",
		    normalized[i].given);
	}
	for (size_t i = 0; i < COUNT(decoded); i++) {
		dsn_decode(decoded[i].value, text);
		is_str(text, decoded[i].text, "%s", decoded[i].value);
	}
	return done_testing();
}
