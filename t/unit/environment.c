/* SPDX-License-Identifier: ISC */

/*
 * environment.c - an environment file is read as systemd reads it; t/
 * systemd.bats compares the two.
 */

#include "config.h"

#include <errno.h>

#include "lib/environment.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A file, and its assignments as name=[value]. */
static const struct {
	const char *text, *expected;
} rows[] = {
	{ "", "" },
	{ "\n \t\n", "" },
	{ "A=1", "A=[1]" },
	{ "A=1\nB=2\n", "A=[1]B=[2]" },
	{ "A=1\r\nB=2\r\n", "A=[1]B=[2]" },
	{ "A=1\nA=2\n", "A=[1]A=[2]" },
	{ "A=\n", "A=[]" },
	{ "A=", "A=[]" },
	{ " \tA \t=  1 \t\n", "A=[1]" },
	{ "A=1 2  3 \n", "A=[1 2  3]" },
	{ "#A=1\n ;A=2\nA=3\n", "A=[3]" },
	{ "# A \\\nA=1\nB=2\n", "B=[2]" },
	{ "# A \\\\\nA=1\n", "A=[1]" },
	{ "A=1 # text\n", "A=[1 # text]" },
	{ "A\nB=2\n", "B=[2]" },
	{ "A", "" },
	{ "export A=1\nB=2\n", "B=[2]" },
	{ "1A=1\n=2\nA-B=3\n_=4\n", "_=[4]" },
	{ "A=\"1\"\n", "A=[1]" },
	{ "A='1' \n", "A=[1]" },
	{ "A=\"\"'1' \"2\"\n", "A=[12]" },
	{ "A=\" 1 \"\n", "A=[ 1 ]" },
	{ "A=\"1\n2\"\nB=3\n", "A=[1\n2]B=[3]" },
	{ "A='1\nB=2'\n", "A=[1\nB=2]" },
	{ "A=\"1\n", "A=[1\n]" },
	{ "A='1", "A=[1]" },
	{ "A=x\"1\" it's\n", "A=[x\"1\" it's]" },
	{ "A=\"1 \"; 2\n", "A=[1 ; 2]" },
	{ "A=\\a\\\\b\n", "A=[a\\b]" },
	{ "A=1 \\\n2\n", "A=[1 2]" },
	{ "A=1\\ \n", "A=[1 ]" },
	{ "A=1\\", "A=[1]" },
	{ "A='\\a\\'\n", "A=[\\a\\]" },
	{ "A=\"\\\"\\\\\\`\\$\\a\\\n2\"\n", "A=[\"\\`$\\a2]" },
	{ "A=\303\274\n", "A=[\303\274]" },
	{ "A=\033[2J\nB=2\n", "B=[2]" },
};

static void
note(void *context, const char *name, const char *value)
{
	char *all = context;
	size_t length = strlen(all);

	(void)snprintf(all + length, 256 - length, "%s=[%s]", name, value);
}

int
main(void)
{
	char all[256];

	for (size_t i = 0; i < COUNT(rows); i++) {
		all[0] = '\0';
		is_int(environment_parse(rows[i].text, note, all), 0,
		    "\"%s\" is read", rows[i].text);
		is_str(all, rows[i].expected, "as \"%s\"", rows[i].expected);
	}
	is_int(environment_parse("A=\377\n", note, all), -EBADMSG,
	    "a file that is not UTF-8 is refused");
	return done_testing();
}
