/* SPDX-License-Identifier: ISC */

/*
 * address.c - paths, as RFC 5321 sections 4.1.2 and 4.5.3.1 define them.
 */

#include "config.h"

#include <errno.h>

#include "lib/address.h"
#include "t/unit/tap.h"

#define ANY (ADDRESS_NULL | ADDRESS_UNQUALIFIED | ADDRESS_UTF8)

#define A8 "aaaaaaaa"
#define A64 A8 A8 A8 A8 A8 A8 A8 A8
#define A63 A8 A8 A8 A8 A8 A8 A8 "aaaaaaa"
#define A60 A8 A8 A8 A8 A8 A8 A8 "aaaa"
#define A61 A8 A8 A8 A8 A8 A8 A8 "aaaaa"

struct row {
	const char *path;
	unsigned flags;
	int result;
	const char *text; /* if the result is 0 */
	const char *domain;
};

/* clang-format off */
static const struct row rows[] = {
	/* mailboxes */
	{ "<a@example.org>", 0, 0, "a@example.org", "example.org" },
	{ "<User.Name@example.org>", 0, 0, "User.Name@example.org", "example.org" },
	{ "<User@EXAMPLE.Org>", 0, 0, "User@example.org", "example.org" },
	{ "<!#$%&'*+-/=?^_`{|}~@x>", 0, 0, "!#$%&'*+-/=?^_`{|}~@x", "x" },
	{ "<a@localhost>", 0, 0, "a@localhost", "localhost" },
	{ "<a@1.2>", 0, 0, "a@1.2", "1.2" },
	{ "<a@b-c.d>", 0, 0, "a@b-c.d", "b-c.d" },
	{ "<a@xn--bcher-kva.example>", 0, 0, "a@xn--bcher-kva.example", "xn--bcher-kva.example" },
	{ "<a@b> SIZE=1", 0, 0, "a@b", "b" },
	{ "<a@b><c@d>", 0, 0, "a@b", "b" },
	{ "", ANY, -EBADMSG },
	{ "<", ANY, -EBADMSG },
	{ ">", ANY, -EBADMSG },
	{ "a@b", ANY, -EBADMSG },
	{ " <a@b>", ANY, -EBADMSG },
	{ "< a@b>", ANY, -EBADMSG },
	{ "<a@b >", ANY, -EBADMSG },
	{ "<a @b>", ANY, -EBADMSG },
	{ "<a@b", ANY, -EBADMSG },
	{ "<a@>", ANY, -EBADMSG },
	{ "<@b>", ANY, -EBADMSG },
	{ "<a@b@c>", ANY, -EBADMSG },
	{ "<.a@b>", ANY, -EBADMSG },
	{ "<..@b>", ANY, -EBADMSG },
	{ "<a.@b>", 0, 0, "a.@b", "b" },
	{ "<a..b@c>", 0, 0, "a..b@c", "c" },
	{ "<a...b..@c>", 0, 0, "a...b..@c", "c" },
	{ "<a(b)@c>", ANY, -EBADMSG },
	{ "<a,b@c>", ANY, -EBADMSG },
	{ "<a;b@c>", ANY, -EBADMSG },
	{ "<a:b@c>", ANY, -EBADMSG },
	{ "<a\\b@c>", ANY, -EBADMSG },
	{ "<a\tb@c>", ANY, -EBADMSG },
	{ "<a\x7f" "b@c>", ANY, -EBADMSG },
	{ "<a<b@c>", ANY, -EBADMSG },
	{ "<<a@b>>", ANY, -EBADMSG },

	/* domains */
	{ "<a@.b>", ANY, -EBADMSG },
	{ "<a@b.>", 0, 0, "a@b", "b" },
	{ "<a@b.c.>", 0, 0, "a@b.c", "b.c" },
	{ "<a@b..>", ANY, -EBADMSG },
	{ "<a@.>", ANY, -EBADMSG },
	{ "<a@b-.>", ANY, -EBADMSG },
	{ "<a@b.-.>", ANY, -EBADMSG },
	{ "<a@[192.0.2.1].>", ANY, -EBADMSG },
	{ "<a@b..c>", ANY, -EBADMSG },
	{ "<a@-b>", ANY, -EBADMSG },
	{ "<a@b->", ANY, -EBADMSG },
	{ "<a@b-.c>", ANY, -EBADMSG },
	{ "<a@b.-c>", ANY, -EBADMSG },
	{ "<a@b_c>", 0, 0, "a@b_c", "b_c" },
	{ "<a@_b.c_.d>", 0, 0, "a@_b.c_.d", "_b.c_.d" },
	{ "<a@_-.d>", ANY, -EBADMSG },
	{ "<a@b/c>", ANY, -EBADMSG },
	{ "<a@../../etc>", ANY, -EBADMSG },

	/* quoted local parts */
	{ "<\"a b\"@c>", 0, 0, "\"a b\"@c", "c" },
	{ "<\"a@b\"@c>", 0, 0, "\"a@b\"@c", "c" },
	{ "<\"a>b\"@c>", 0, 0, "\"a>b\"@c", "c" },
	{ "<\"a\\\"b\"@c>", 0, 0, "\"a\\\"b\"@c", "c" },
	{ "<\"a\\\\\"@c>", 0, 0, "\"a\\\\\"@c", "c" },
	{ "<\"\"@c>", 0, 0, "\"\"@c", "c" },
	{ "<\"a@c>", ANY, -EBADMSG },
	{ "<\"a\"b@c>", ANY, -EBADMSG },
	{ "<a\"b\"@c>", ANY, -EBADMSG },
	{ "<\"a\"b\"@c>", ANY, -EBADMSG },
	{ "<\"a\\\"@c>", ANY, -EBADMSG },
	{ "<\"a\tb\"@c>", ANY, -EBADMSG },
	{ "<\"a\x01\"@c>", ANY, -EBADMSG },
	{ "<\"a\\\x01\"@c>", ANY, -EBADMSG },
	{ "<\"", ANY, -EBADMSG },
	{ "<\"\\", ANY, -EBADMSG },

	/* address literals */
	{ "<a@[192.0.2.1]>", 0, 0, "a@[192.0.2.1]", "[192.0.2.1]" },
	{ "<a@[IPv6:2001:db8::1]>", 0, 0, "a@[ipv6:2001:db8::1]", "[ipv6:2001:db8::1]" },
	{ "<a@[IPv6:::ffff:192.0.2.1]>", 0, 0, "a@[ipv6:::ffff:192.0.2.1]", "[ipv6:::ffff:192.0.2.1]" },
	{ "<a@[192.0.2]>", ANY, -EBADMSG },
	{ "<a@[192.0.2.256]>", ANY, -EBADMSG },
	{ "<a@[192.0.2.1>", ANY, -EBADMSG },
	{ "<a@192.0.2.1]>", ANY, -EBADMSG },
	{ "<a@[]>", ANY, -EBADMSG },
	{ "<a@[2001:db8::1]>", ANY, -EBADMSG },
	{ "<a@[IPv6:192.0.2.1]>", ANY, -EBADMSG },
	{ "<a@[IPv6:]>", ANY, -EBADMSG },
	{ "<a@[IPv6:fe80::1%lo]>", ANY, -EBADMSG },
	{ "<a@[X-other:1]>", ANY, -EBADMSG },
	{ "<a@[192.0.2.1].org>", ANY, -EBADMSG },

	/* source routes: accepted and removed */
	{ "<@one:a@b>", 0, 0, "a@b", "b" },
	{ "<@one,@two.example:a@b>", 0, 0, "a@b", "b" },
	{ "<@[192.0.2.1]:a@b>", 0, 0, "a@b", "b" },
	{ "<@one:\"a\"@b>", 0, 0, "\"a\"@b", "b" },
	{ "<@one,two:a@b>", ANY, -EBADMSG },
	{ "<@one,:a@b>", ANY, -EBADMSG },
	{ "<@one a@b>", ANY, -EBADMSG },
	{ "<@one:>", ANY, -EBADMSG },
	{ "<@:a@b>", ANY, -EBADMSG },
	{ "<@one:@two:a@b>", ANY, -EBADMSG },

	/* the null reverse-path, and paths without a domain */
	{ "<>", ADDRESS_NULL, 0, "", "" },
	{ "<>", ADDRESS_UNQUALIFIED | ADDRESS_UTF8, -EBADMSG },
	{ "<> SIZE=1", ADDRESS_NULL, 0, "", "" },
	{ "<postmaster>", ADDRESS_UNQUALIFIED, 0, "postmaster", "" },
	{ "<PostMaster>", ADDRESS_UNQUALIFIED, 0, "postmaster", "" },
	{ "<postmaster>", ADDRESS_NULL | ADDRESS_UTF8, -EBADMSG },
	{ "<Root>", ADDRESS_UNQUALIFIED, 0, "Root", "" },
	{ "<root> SIZE=1", ADDRESS_UNQUALIFIED, 0, "root", "" },
	{ "<\"a@b\">", ADDRESS_UNQUALIFIED, 0, "\"a@b\"", "" },
	{ "<\"\">", ADDRESS_UNQUALIFIED, 0, "\"\"", "" },
	{ "<@one:root>", ADDRESS_UNQUALIFIED, 0, "root", "" },
	{ "<r\xc3\xbc>", ANY, 0, "r\xc3\xbc", "" },
	{ "<r\xc3\xbc>", ADDRESS_UNQUALIFIED, -EILSEQ },
	{ "<root>", ADDRESS_NULL | ADDRESS_UTF8, -EBADMSG },
	{ "<root.>", ADDRESS_UNQUALIFIED, 0, "root.", "" },
	{ "<root>>", ADDRESS_UNQUALIFIED, 0, "root", "" },
	{ "<root@>", ANY, -EBADMSG },
	{ "<root@.>", ANY, -EBADMSG },
	{ "<[192.0.2.1]>", ANY, -EBADMSG },
	{ "<" A64 A64 A64 A60 "aa>", ADDRESS_UNQUALIFIED, 0, A64 A64 A64 A60 "aa", "" },
	{ "<" A64 A64 A64 A60 "aaa>", ADDRESS_UNQUALIFIED, -ENAMETOOLONG },
	{ "<postmaster@b>", ADDRESS_UNQUALIFIED, 0, "postmaster@b", "b" },

	/* UTF-8 (RFC 6531) */
	{ "<b\xc3\xbc@x>", ADDRESS_UTF8, 0, "b\xc3\xbc@x", "x" },
	{ "<b@b\xc3\xbc.x>", ADDRESS_UTF8, 0, "b@b\xc3\xbc.x", "b\xc3\xbc.x" },
	{ "<\"\xf0\x9f\x93\xa7\"@x>", ADDRESS_UTF8, 0, "\"\xf0\x9f\x93\xa7\"@x", "x" },
	{ "<\xe4\xbd\xa0@\xe4\xbd\xa0>", ADDRESS_UTF8, 0, "\xe4\xbd\xa0@\xe4\xbd\xa0", "\xe4\xbd\xa0" },
	{ "<b\xc3\xbc@x>", ADDRESS_NULL, -EILSEQ },
	{ "<b@b\xc3\xbc.x>", 0, -EILSEQ },
	{ "<\"\xc3\xbc\"@x>", 0, -EILSEQ },
	{ "<\xc3@x>", ANY, -EBADMSG }, /* cut short */
	{ "<\xbc@x>", ANY, -EBADMSG }, /* begins in the middle */
	{ "<\xc0\xaf@x>", ANY, -EBADMSG }, /* overlong */
	{ "<\xe0\x80\xaf@x>", ANY, -EBADMSG },
	{ "<\xf0\x80\x80\xaf@x>", ANY, -EBADMSG },
	{ "<\xed\xa0\x80@x>", ANY, -EBADMSG }, /* a surrogate */
	{ "<\xf4\x90\x80\x80@x>", ANY, -EBADMSG }, /* beyond U+10FFFF */
	{ "<\xff@x>", ANY, -EBADMSG },
	{ "<a@\xff>", ANY, -EBADMSG },
	{ "<\xe4\xbd", ANY, -EBADMSG },

	/* lengths */
	{ "<" A64 "@b>", 0, 0, A64 "@b", "b" },
	{ "<" A64 "a@b>", 0, 0, A64 "a@b", "b" },
	{ "<" A64 A64 A64 A60 "@b>", 0, 0, A64 A64 A64 A60 "@b", "b" },
	{ "<" A64 A64 A64 A60 "a@bc>", ANY, -ENAMETOOLONG },
	{ "<a@" A63 ">", 0, 0, "a@" A63, A63 },
	{ "<a@" A64 ">", ANY, -EBADMSG },
	{ "<a@" A63 "." A63 "." A63 "." A8 ".org>", 0, 0,
	    "a@" A63 "." A63 "." A63 "." A8 ".org",
	    A63 "." A63 "." A63 "." A8 ".org" },
	/* An address of 254 octets is a path of 256. */
	{ "<a@" A63 "." A63 "." A63 "." A8 A8 A8 A8 A8 A8 A8 "aa.b>" , 0, 0,
	    "a@" A63 "." A63 "." A63 "." A8 A8 A8 A8 A8 A8 A8 "aa.b",
	    A63 "." A63 "." A63 "." A8 A8 A8 A8 A8 A8 A8 "aa.b" },
	{ "<a@" A63 "." A63 "." A63 "." A61 ">", ANY, -ENAMETOOLONG },
	{ "<a@" A63 "." A63 "." A63 "." A63 ">", ANY, -ENAMETOOLONG },
	{ "<a@" A63 "." A63 "." A63 "." A63 ".a>", ANY, -ENAMETOOLONG },
};

/* A local part, a domain, and the address. */
static const struct { const char *path, *domain; int result; const char *text; } parts[] = {
	{ "<root>", "example.org", 0, "root@example.org" },
	{ "<root>", "[IPv6:::1]", 0, "root@[ipv6:::1]" },
	{ "<\"a@b\">", "Example.ORG", 0, "\"a@b\"@example.org" },
	{ "<PostMaster>", "b", 0, "postmaster@b" },
	{ "<" A64 A64 A64 A60 ">", "b", 0, A64 A64 A64 A60 "@b" },
	{ "<" A64 A64 A64 A60 ">", "bc", -ENAMETOOLONG, NULL },
};

static const struct { const char *text; bool is_utf8, result; } domains[] = {
	{ "example.org", false, true },
	{ "a", false, true },
	{ "[192.0.2.1]", false, true },
	{ "[IPv6:::1]", false, true },
	{ "", false, false },
	{ "a b", false, false },
	{ "example.org.", false, false },
	{ "exam_ple.org", false, true },
	{ "example.org\r", false, false },
	{ "a@b", false, false },
	{ "b\xc3\xbc.example", true, true },
	{ "b\xc3\xbc.example", false, false },
	{ A63 "." A63 "." A63 "." A61 ".a", false, true }, /* 255 */
	{ A63 "." A63 "." A63 "." A61 ".aa", false, false },
};

static const struct { const char *text; int result; const char *ip; } literals[] = {
	{ "[192.0.2.1]", 0, "192.0.2.1" },
	{ "[IPv6:2001:db8::1]", 0, "2001:db8::1" },
	{ "[ipv6:::1]", 0, "::1" },
	{ "192.0.2.1", -EBADMSG },
	{ "[192.0.2.1", -EBADMSG },
	{ "[]", -EBADMSG },
	{ "[", -EBADMSG },
	{ "", -EBADMSG },
	{ "[::1]", -EBADMSG },
	{ "[IPv6:]", -EBADMSG },
	{ "[IPv6]", -EBADMSG },
	{ "[0192.0.2.1]", -EBADMSG },
	{ "[" A64 "]", -EBADMSG },
	{ "[IPv6:" A64 "]", -EBADMSG },
};

static const struct { const char *text, *domain; } mailboxes[] = {
	{ "a@example.org", "example.org" },
	{ "\"a@b\"@c", "c" },
	{ "a@[192.0.2.1]", "[192.0.2.1]" },
	{ "postmaster", "" },
	{ "", "" },
};

/* Addresses as paths and headers have them. */
static const struct { const char *text, *quoted; } quotes[] = {
	{ "a.b@c", "a.b@c" },
	{ "a..b@c", "\"a..b\"@c" },
	{ "a.@c..d", "\"a.\"@c..d" },
	{ "\"a..b\"@c", "\"a..b\"@c" },
	{ "postmaster", "postmaster" },
	{ "a..b", "a..b" },
	{ "", "" },
	{ A64 A64 A64 A8 A8 A8 A8 A8 A8 "aaaaaaa..@bc", "\"" A64 A64 A64 A8 A8 A8 A8 A8 A8 "aaaaaaa..\"@bc" },
	{ A64 A64 A64 A8 A8 A8 A8 A8 A8 "aaaaaaaa..@bc", A64 A64 A64 A8 A8 A8 A8 A8 A8 "aaaaaaaa..@bc" },
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
check_path(const struct row *row)
{
	struct address address;
	size_t used = 0;
	int r = address_parse_path(row->path, row->flags, &address, &used);

	if (!is_int(r, row->result, "path %s with flags %u", row->path,
		row->flags) ||
	    r < 0)
		return;
	is_str(address.text, row->text, "address of %s", row->path);
	is_str(address.domain, row->domain, "domain of %s", row->path);
	if (*row->domain != '\0')
		is_str(address_domain(address.text), row->domain,
		    "address_domain() agrees for %s", row->path);
	ok(row->path[used - 1] == '>', "%s is parsed up to its '>'", row->path);
}

static void
is_utf8_is_set(void)
{
	struct address address;
	size_t used;

	ok(address_parse_path("<a@b>", ADDRESS_UTF8, &address, &used) == 0 &&
		!address.is_utf8,
	    "ASCII is not called UTF-8");
	ok(address_parse_path("<\xc3\xbc@b>", ADDRESS_UTF8, &address, &used) ==
		    0 &&
		address.is_utf8,
	    "UTF-8 in the local part is reported");
	ok(address_parse_path("<a@\xc3\xbc>", ADDRESS_UTF8, &address, &used) ==
		    0 &&
		address.is_utf8,
	    "UTF-8 in the domain is reported");
}

struct bare_row {
	const char *text;
	int result;
};

/* Addresses without brackets. */
static const struct bare_row bare[] = {
	{ "a@example.org", 0 },
	{ "\xc3\xbc@example.org", 0 },
	{ "", -EBADMSG },
	{ "a", -EBADMSG },
	{ "<a@example.org>", -EBADMSG },
	{ "a@example.org>", -EBADMSG },
	{ "a@example.org> b", -EBADMSG },
	{ "a@example.org ", -EBADMSG },
	{ "@example.net:a@example.org", -EBADMSG },
	{ "a@example.org.", -EBADMSG },
	{ "a..@example.org", 0 },
};

static void
bare_addresses_are_parsed(void)
{
	char text[ADDRESS_PATH_MAX];
	struct address address;

	for (size_t i = 0; i < COUNT(bare); i++)
		is_int(address_parse(bare[i].text, ADDRESS_UTF8, &address),
		    bare[i].result, "bare address %s", bare[i].text);
	is_int(address_parse("\xc3\xbc@b", 0, &address), -EILSEQ,
	    "UTF-8 in a bare address where it is not allowed");
	need(address_parse("a@EXAMPLE.org", 0, &address) == 0);
	is_str(address.text, "a@example.org", "its domain is in lower case");
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	is_int(address_parse(text, 0, &address), -ENAMETOOLONG,
	    "a bare address that is too long");
}

static void
unqualified_addresses_get_a_domain(void)
{
	struct address address;
	size_t used;

	for (size_t i = 0; i < COUNT(parts); i++) {
		need(address_parse_path(parts[i].path, ADDRESS_UNQUALIFIED,
			 &address, &used) == 0);
		if (is_int(address_qualify(&address, parts[i].domain),
			parts[i].result, "%s with the domain %s", parts[i].path,
			parts[i].domain) &&
		    parts[i].result == 0) {
			is_str(address.text, parts[i].text, "is an address");
			is_str(address.domain, address_domain(address.text),
			    "and its domain is set");
		}
	}
}

static void
check_quotes(void)
{
	char text[ADDRESS_SIZE];

	for (size_t i = 0; i < COUNT(quotes); i++)
		is_str(address_quote(quotes[i].text, text), quotes[i].quoted,
		    "%s for a path", quotes[i].text);
}

int
main(void)
{
	char ip[46];

	for (size_t i = 0; i < COUNT(rows); i++)
		check_path(&rows[i]);
	is_utf8_is_set();
	bare_addresses_are_parsed();
	unqualified_addresses_get_a_domain();
	check_quotes();
	for (size_t i = 0; i < COUNT(domains); i++)
		is_int(is_domain(domains[i].text, domains[i].is_utf8),
		    domains[i].result, "domain %s%s", domains[i].text,
		    domains[i].is_utf8 ? " with UTF-8" : "");
	for (size_t i = 0; i < COUNT(literals); i++)
		if (is_int(address_literal_ip(literals[i].text, ip),
			literals[i].result, "literal %s", literals[i].text) &&
		    literals[i].result == 0)
			is_str(ip, literals[i].ip, "IP of %s",
			    literals[i].text);
	for (size_t i = 0; i < COUNT(mailboxes); i++)
		is_str(address_domain(mailboxes[i].text), mailboxes[i].domain,
		    "domain of mailbox %s", mailboxes[i].text);
	return done_testing();
}
