/* SPDX-License-Identifier: ISC */

/*
 * author.c - the domain of a From field that names a single author.
 */

#include "config.h"

#include <errno.h>

#include "smtp-deliver/content/author.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X1000 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100

/* clang-format off */
/* The text after the colon; the domain, or NULL without a single author. */
static const struct { const char *body, *domain; } bodies[] = {
	{ "a@b.test", "b.test" },
	{ "  <a@b.test> ", "b.test" },
	{ "A Name <a@b.test>", "b.test" },
	{ "A. Name <a@B.Test>", "B.Test" },
	{ "\"A, Name\" <a@b.test>", "b.test" },
	{ "\"a@x.test\" <a@b.test>", "b.test" },
	{ "a@x.test <a@b.test>", "b.test" },
	{ "\"\\\"<a@x.test>\" <a@b.test>", "b.test" },
	{ "\"a b\"@b.test", "b.test" },
	{ "\"a@x.test,\"@b.test", "b.test" },
	{ "a@b.test (A <a@x.test>, Name)", "b.test" },
	{ "(one (two \\) x@x.test)) a @ b . test", "b.test" },
	{ "=?utf-8?Q?=C3=BC?= <a@b.test>", "b.test" },
	{ "\xc3\xbc <\xc3\xbc@b\xc3\xbc.test>", "b\xc3\xbc.test" },
	{ "a@localhost", "localhost" },
	/* names may be long */
	{ X1000 X1000 " <a@b.test>", "b.test" },
	{ "\"" X1000 X1000 "\" <a@b.test>", "b.test" },
	{ "a@b.test (" X1000 X1000 ")", "b.test" },
	/* and an encoded word may have any sign */
	{ "=?utf-8?Q?Doe,_John?= <a@b.test>", "b.test" },
	{ "=?utf-8?q?a@x.test;?= =?UTF-8?Q?<b:c>?= <a@b.test>", "b.test" },
	{ "Mr =?iso-8859-1*en?q?x(,\"?=, Sir <a@b.test>", NULL },
	{ "=?utf-8?Q?a,?==?utf-8?Q?,b?=<a@b.test>", "b.test" },
	{ "=?utf-8?B?LCw=?= <a@b.test>", "b.test" },
	/* no author, or several */
	{ "", NULL },
	{ "a", NULL },
	{ "<>", NULL },
	{ "@b.test", NULL },
	{ "a@", NULL },
	{ "a@b.test, c@d.test", NULL },
	{ "A <a@b.test>, B <c@d.test>", NULL },
	{ "undisclosed: a@b.test;", NULL },
	{ "<@x.test:a@b.test>", NULL },
	{ "<a@b.test> <c@d.test>", NULL },
	{ "<a@b.test> c", NULL },
	{ "<a@b.test", NULL },
	{ "a@b.test>", NULL },
	{ "<<a@b.test>>", NULL },
	{ "a@b.test c@d.test", NULL },
	{ "a@[192.0.2.1]", NULL },
	{ "a@b..test", NULL },
	{ "a@b_c/d", NULL },
	{ "\"a <a@b.test>", NULL },
	{ "(a <a@b.test>", NULL },
	{ "\"a\\", NULL },
	{ "a@" X100 X100 X100, NULL },
	{ X1000 X1000 "@b.test", NULL },
	{ "<" X1000 X1000 "@b.test>", NULL },
	/* no encoded words */
	{ "=?utf-8?Q?Doe, John?= <a@b.test>", NULL },
	{ "=?utf-8?Q?Doe,_John <a@b.test>", NULL },
	{ "=?utf-8?QQ?Doe,_John?= <a@b.test>", NULL },
	{ "=?utf-8?Doe,_John?= <a@b.test>", NULL },
	{ "=??Q?Doe,_John?= <a@b.test>", NULL },
	{ "=?utf-8?Q?a?,_b?= <a@b.test>", NULL },
	{ "<=?utf-8?Q?a@x.test,?=@b.test>", NULL },
	{ "=?utf-8?Q?a,?=@b.test", NULL },
};
/* clang-format on */

int
main(void)
{
	char domain[ADDRESS_DOMAIN_MAX + 1];

	for (size_t i = 0; i < COUNT(bodies); i++) {
		int r = author_find_domain(bodies[i].body, domain);

		if (bodies[i].domain == NULL)
			is_int(r, -EBADMSG,
			    "\"%.40s\" does not name a single author",
			    bodies[i].body);
		else if (is_int(r, 0, "\"%s\" names one author",
			     bodies[i].body))
			is_str(domain, bodies[i].domain, "its domain");
	}
	return done_testing();
}
