/* SPDX-License-Identifier: ISC */

/*
 * relays.c - relays are names, or names or addresses in brackets, with or
 * without ports; errors quote anything else.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "smtp-deliver/route/relays.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

/* clang-format off */

/* A text, and its meaning: "mx" or "host", the name, the port. */
static const struct { const char *text, *expected; } rows[] = {
	{ "relay.example", "mx relay.example 0" },
	{ "relay.example:587", "mx relay.example 587" },
	{ "[relay.example]", "host relay.example 0" },
	{ "[relay.example]:465", "host relay.example 465" },
	{ "[192.0.2.1]:1", "host 192.0.2.1 1" },
	{ "[2001:db8::1]:65535", "host 2001:db8::1 65535" },
	{ "[ipv6:2001:db8::1]", "host 2001:db8::1 0" },
	{ "b\xc3\xbc" "cher.example", "mx b\xc3\xbc" "cher.example 0" },
	{ "a.example,b.example", "mx a.example 0, mx b.example 0" },
	{ " a.example:25 ,\t[b.example] ", "mx a.example 25, host b.example 0" },
	{ "a,b,c,d,e,f,g,h", "mx a 0, mx b 0, mx c 0, mx d 0, mx e 0, mx f 0, mx g 0, mx h 0" },
};

/* Invalid texts, and what the errors quote of them. */
static const struct { const char *text, *shown; } errors[] = {
	{ "", "\"\";" },
	{ " , ", "\" , \";" },
	{ "a:", "\"a:\";" },
	{ "a:0", "\"a:0\";" },
	{ "a:65536", "\"a:65536\";" },
	{ "a:+25", "\"a:+25\";" },
	{ "a:smtp", "\"a:smtp\";" },
	{ "good.example [a", "\"[a\";" },
	{ "[]", "\"[]\";" },
	{ "[a]25", "\"[a]25\";" },
	{ "[[a]]", "\"[[a]]\";" },
	{ "a]", "\"a]\";" },
	{ "192.0.2.1", "\"192.0.2.1\";" },
	{ "2001:db8::1", "\"2001:db8::1\";" },
	{ "a..b", "\"a..b\";" },
	{ "a\r\nb", "\"a??b\";" },
	{ "user@relay.example", "\"user@relay.example\";" },
	{ "a,b,c,d,e,f,g,h,i", "\"i\"; expected up to 8 of" },
	{ X60 "." X60 "." X60 "." X60 "." X60, "\"" X60 ".xxx\";" },
};
/* clang-format on */

static void
print(const struct relays *relays, char *ret_text, size_t size)
{
	size_t used = 0;

	*ret_text = '\0';
	for (size_t i = 0; i < relays->count; i++)
		used += (size_t)snprintf(ret_text + used, size - used,
		    "%s%s %s %u", i > 0 ? ", " : "",
		    relays->entries[i].is_domain ? "mx" : "host",
		    relays->entries[i].name, relays->entries[i].port);
}

int
main(void)
{
	char error[RELAYS_ERROR_SIZE], text[4096];
	struct relays relays;

	for (size_t i = 0; i < COUNT(rows); i++) {
		is_int(relays_parse(rows[i].text, &relays, error), 0,
		    "\"%s\" is accepted", rows[i].text);
		print(&relays, text, sizeof(text));
		is_str(text, rows[i].expected, "as %s", rows[i].expected);
	}
	for (size_t i = 0; i < COUNT(errors); i++) {
		is_int(relays_parse(errors[i].text, &relays, error), -EINVAL,
		    "row %zu is refused", i);
		ok(strstr(error, errors[i].shown) != NULL, "%s", error);
	}
	return done_testing();
}
