/* SPDX-License-Identifier: ISC */

/*
 * ip.c - texts that are IP addresses, and addresses that are loopback.
 */

#include "config.h"

#include <arpa/inet.h>

#include "lib/ip.h"
#include "t/unit/tap.h"

struct text_case {
	const char *text;
	bool is_ip;
};

static const struct text_case texts[] = {
	{ "192.0.2.1", true },
	{ "0.0.0.0", true },
	{ "2001:db8::1", true },
	{ "::", true },
	{ "::ffff:192.0.2.1", true },
	{ "", false },
	{ "192.0.2", false },
	{ "192.0.2.1.1", false },
	{ "192.0.2.256", false },
	{ "192.0.2.1 ", false },
	{ "[192.0.2.1]", false },
	{ "IPv6:2001:db8::1", false },
	{ "2001:db8::1%eth0", false },
	{ "2001:db8:::1", false },
	{ "mx.example.org", false },
	{ "abcd", false },
};

struct loopback_case {
	const char *text;
	bool is_loopback;
	const char *unmapped; /* NULL: not IPv4-mapped */
};

static const struct loopback_case addresses[] = {
	{ "127.0.0.1", true, NULL },
	{ "127.255.255.255", true, NULL },
	{ "126.255.255.255", false, NULL },
	{ "128.0.0.0", false, NULL },
	{ "0.0.0.0", false, NULL },
	{ "1.0.0.127", false, NULL },
	{ "::1", true, NULL },
	{ "::", false, NULL },
	{ "::2", false, NULL },
	{ "::127.0.0.1", false, NULL },
	{ "fe80::1", false, NULL },
	{ "2001:db8::1", false, NULL },
	{ "::ffff:127.0.0.1", true, "127.0.0.1" },
	{ "::ffff:127.1.2.3", true, "127.1.2.3" },
	{ "::ffff:192.0.2.1", false, "192.0.2.1" },
	{ "::ffff:0.0.0.1", false, "0.0.0.1" },
};

static void
check_ip6(const struct loopback_case *c, const struct in6_addr *ip6)
{
	char unmapped[INET_ADDRSTRLEN] = "";
	struct in_addr ip4;
	bool is_mapped = ip_unmap(ip6, &ip4);

	is_int(is_loopback_ip6(ip6), c->is_loopback, "%s", c->text);
	is_int(is_mapped, c->unmapped != NULL, "%s is mapped", c->text);
	if (is_mapped)
		need(inet_ntop(AF_INET, &ip4, unmapped, sizeof(unmapped)) !=
		    NULL);
	is_str(unmapped, c->unmapped != NULL ? c->unmapped : "",
	    "the IPv4 address mapped in %s", c->text);
}

int
main(void)
{
	struct in6_addr ip6;
	struct in_addr ip4;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		is_int(is_ip(texts[i].text), texts[i].is_ip, "\"%s\"",
		    texts[i].text);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		const struct loopback_case *c = &addresses[i];

		if (inet_pton(AF_INET, c->text, &ip4) == 1) {
			is_int(is_loopback_ip4(&ip4), c->is_loopback, "%s",
			    c->text);
			continue;
		}
		need(inet_pton(AF_INET6, c->text, &ip6) == 1);
		check_ip6(c, &ip6);
	}
	return done_testing();
}
