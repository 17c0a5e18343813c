/* SPDX-License-Identifier: ISC */

/*
 * ip.c - texts that are IP addresses, in any notation, and what addresses are
 * for.
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

static const struct {
	const char *text;
	enum ip_scope scope;
} scopes[] = {
	{ "192.0.2.1", IP_SCOPE_PUBLIC },
	{ "1.0.0.0", IP_SCOPE_PUBLIC },
	{ "0.0.0.0", IP_SCOPE_UNSPECIFIED },
	{ "0.255.0.1", IP_SCOPE_UNSPECIFIED },
	{ "9.255.255.255", IP_SCOPE_PUBLIC },
	{ "10.0.0.1", IP_SCOPE_PRIVATE },
	{ "11.0.0.0", IP_SCOPE_PUBLIC },
	{ "100.63.255.255", IP_SCOPE_PUBLIC },
	{ "100.64.0.0", IP_SCOPE_PRIVATE },
	{ "100.127.255.255", IP_SCOPE_PRIVATE },
	{ "100.128.0.0", IP_SCOPE_PUBLIC },
	{ "127.1.2.3", IP_SCOPE_LOOPBACK },
	{ "169.254.169.254", IP_SCOPE_LINK_LOCAL },
	{ "169.253.255.255", IP_SCOPE_PUBLIC },
	{ "169.255.0.0", IP_SCOPE_PUBLIC },
	{ "172.15.255.255", IP_SCOPE_PUBLIC },
	{ "172.16.0.0", IP_SCOPE_PRIVATE },
	{ "172.31.255.255", IP_SCOPE_PRIVATE },
	{ "172.32.0.0", IP_SCOPE_PUBLIC },
	{ "192.168.0.1", IP_SCOPE_PRIVATE },
	{ "192.167.255.255", IP_SCOPE_PUBLIC },
	{ "223.255.255.255", IP_SCOPE_PUBLIC },
	{ "224.0.0.1", IP_SCOPE_MULTICAST },
	{ "239.255.255.255", IP_SCOPE_MULTICAST },
	{ "240.0.0.1", IP_SCOPE_RESERVED },
	{ "255.255.255.255", IP_SCOPE_RESERVED },
	{ "2001:db8::1", IP_SCOPE_PUBLIC },
	{ "::1", IP_SCOPE_LOOPBACK },
	{ "::", IP_SCOPE_UNSPECIFIED },
	{ "fe80::1", IP_SCOPE_LINK_LOCAL },
	{ "febf::1", IP_SCOPE_LINK_LOCAL },
	{ "fec0::1", IP_SCOPE_PRIVATE },
	{ "fbff::1", IP_SCOPE_PUBLIC },
	{ "fc00::1", IP_SCOPE_PRIVATE },
	{ "fd00::1", IP_SCOPE_PRIVATE },
	{ "ff02::1", IP_SCOPE_MULTICAST },
	{ "::ffff:169.254.0.1", IP_SCOPE_LINK_LOCAL },
	{ "::ffff:192.0.2.1", IP_SCOPE_PUBLIC },
};

static void
check_scope(const char *text, enum ip_scope scope)
{
	struct sockaddr_in ip4 = { .sin_family = AF_INET };
	struct sockaddr_in6 ip6 = { .sin6_family = AF_INET6 };
	const struct sockaddr *address = (const struct sockaddr *)&ip4;

	if (inet_pton(AF_INET, text, &ip4.sin_addr) != 1) {
		need(inet_pton(AF_INET6, text, &ip6.sin6_addr) == 1);
		address = (const struct sockaddr *)&ip6;
	}
	is_str(ip_scope_name(ip_find_scope(address)), ip_scope_name(scope),
	    "%s", text);
}

static const struct {
	const char *text;
	bool is_notation;
} notations[] = {
	{ "192.0.2.1", true },
	{ "127.1", true },
	{ "2130706433", true },
	{ "0x7f000001", true },
	{ "0x7f.1", true },
	{ "0177.0.0.1", true },
	{ "::1", true },
	{ "fe80::1%eth0", true },
	{ "[192.0.2.1]", true },
	{ "mx.example.org", false },
	{ "1.example.org", false },
	{ "192-0-2-1.example.org", false },
	{ "0x7f.example", false },
	{ "beef", false },
	{ "", false },
};

int
main(void)
{
	struct in6_addr ip6;
	struct in_addr ip4;

	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++)
		check_scope(scopes[i].text, scopes[i].scope);
	for (size_t i = 0; i < sizeof(notations) / sizeof(notations[0]); i++)
		is_int(is_ip_notation(notations[i].text),
		    notations[i].is_notation, "notation: \"%s\"",
		    notations[i].text);
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
