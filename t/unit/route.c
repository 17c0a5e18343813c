/* SPDX-License-Identifier: ISC */

/*
 * route.c - MX records are tried by preference, those of equal preference in
 * random order; an address literal is its own host.
 */

#include "config.h"

#include <errno.h>

#include "smtp-deliver/route/route.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define TURNS 600
#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static const struct dns_mx records[] = {
	{ 20, "c" },
	{ 10, "b1" },
	{ 65535, "d" },
	{ 10, "b2" },
	{ 0, "a" },
	{ 10, "b3" },
};

/* In 600 shuffles each of three hosts comes first some 200 times; fewer than
 * 100 times, or always the same order, is not chance. */
static void
equal_preferences_are_shuffled(void)
{
	unsigned wrong = 0, first[3] = { 0 };

	for (int turn = 0; turn < TURNS; turn++) {
		struct dns_mx order[COUNT(records)];

		memcpy(order, records, sizeof(order));
		route_order(order, COUNT(order));
		wrong += strcmp(order[0].host, "a") != 0 ||
		    order[1].host[0] != 'b' || order[2].host[0] != 'b' ||
		    order[3].host[0] != 'b' ||
		    strcmp(order[4].host, "c") != 0 ||
		    strcmp(order[5].host, "d") != 0;
		first[(order[1].host[1] - '1') % 3]++;
	}
	is_int(wrong, 0, "hosts are in the order of their preference");
	for (int i = 0; i < 3; i++)
		ok(first[i] >= 100,
		    "b%d, one of three equal ones, came first %u times", i + 1,
		    first[i]);
}

static void
literal_is_its_own_host(void)
{
	static const struct {
		const char *destination, *host;
	} rows[] = {
		{ "[192.0.2.1]", "192.0.2.1" },
		{ "[ipv6:2001:db8::1]", "2001:db8::1" },
		{ "[IPv6:2001:db8::1]", "2001:db8::1" },
	};
	const struct deliver_settings settings = { .remote_port = 25 };
	struct verdict verdict;
	struct route route;

	for (size_t i = 0; i < COUNT(rows); i++) {
		ok(route_find(rows[i].destination, &settings, &route, &verdict),
		    "there is a route to %s", rows[i].destination);
		is_int((int64_t)route.host_count, 1, "by one host");
		is_str(route.hosts[0].name, rows[i].host, "which is %s",
		    rows[i].host);
		is_int(route.hosts[0].port, 25, "at the usual port");
	}
}

static void
relays_take_the_place_of_destinations(void)
{
	const struct deliver_settings settings = {
		.remote_port = 25,
	};
	static const char relays[] =
	    "via [a.example]:465 [192.0.2.1] [2001:db8::1]:587";
	static const struct route_host hosts[] = {
		{ "a.example", "a.example", 465, true },
		{ "192.0.2.1", "192.0.2.1", 25, false },
		{ "2001:db8::1", "2001:db8::1", 587, false },
	};
	struct verdict verdict;
	struct route route;

	ok(route_find(relays, &settings, &route, &verdict),
	    "there is a route by relays");
	is_int(route.is_relayed, true, "which is marked as relayed");
	is_int((int64_t)route.host_count, COUNT(hosts), "by all of them");
	for (size_t i = 0; i < COUNT(hosts); i++) {
		const struct route_host *host = &route.hosts[i];

		is_str(host->name, hosts[i].name, "%s in turn", hosts[i].name);
		is_str(host->domain, hosts[i].domain, "is its own domain");
		is_int(host->port, hosts[i].port, "at its port");
		is_int(host->is_tls_first, hosts[i].is_tls_first,
		    "with TLS first at port 465 only");
	}
}

/* Domains, and their form in the DNS, or NULL if they are invalid. */
static const struct {
	const char *domain, *ascii;
} domains[] = {
	{ "a-b_c.test", "a-b_c.test" },
	/* Letters, digits and hyphens need no IDNA, whatever it thinks. */
	{ "ab--cd.test", "ab--cd.test" }, { "AB--CD.Test", "ab--cd.test" },
	{ "xn--ls8h.test", "xn--ls8h.test" }, { "xn--a.test", "xn--a.test" },
	{ "-a.b-.test", "-a.b-.test" },
	{ "ab--cd.b\u00fccher.test", "ab--cd.xn--bcher-kva.test" },
	{ "xn--ls8h.b\u00fccher.Test", "xn--ls8h.xn--bcher-kva.test" },
	{ "a.test.", "a.test" }, { X60 "xxx.test", X60 "xxx.test" },
	{ X60 "." X60 "." X60 "." X60 ".xxxxxxxxx",
	    X60 "." X60 "." X60 "." X60 ".xxxxxxxxx" },
	{ X60 "xxxx.test", NULL },
	{ X60 "." X60 "." X60 "." X60 ".xxxxxxxxxx", NULL }, { "", NULL },
	{ ".", NULL }, { "a..test", NULL }, { ".test", NULL },
	{ "a.test..", NULL }, { "a b.test", NULL }, { "a/b.test", NULL },
	{ "b\u00fccher.test", "xn--bcher-kva.test" },
	{ "a\uff0eb.test", "a.b.test" },
	{ "a\uff1bl\uff1d0.test", NULL }, /* ; = */
	{ "a\uff0fb.test", NULL }, /* / */
	{ "a\uff20b.test", NULL }, /* @ */
	{ "\u2100.test", NULL }, /* a/c */
};

static void
check_domain(size_t row)
{
	char ascii[DNS_NAME_SIZE] = "";
	int r = idna_to_ascii(domains[row].domain, ascii);

	is_int(r, domains[row].ascii != NULL ? 0 : -EBADMSG, "domain: %s",
	    domains[row].domain);
	if (domains[row].ascii != NULL)
		is_str(ascii, domains[row].ascii, "its form in the DNS");
}

int
main(void)
{
	equal_preferences_are_shuffled();
	literal_is_its_own_host();
	relays_take_the_place_of_destinations();
	for (size_t row = 0; row < COUNT(domains); row++)
		check_domain(row);
	return done_testing();
}
