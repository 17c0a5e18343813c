/* SPDX-License-Identifier: ISC */

/*
 * ip.c - classify IP addresses. Pure.
 */

#include "config.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "lib/ip.h"

bool
is_ip(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET, text, &address) == 1 ||
	    inet_pton(AF_INET6, text, &address) == 1;
}

bool
is_loopback_ip4(const struct in_addr *ip4)
{
	return ntohl(ip4->s_addr) >> 24 == INADDR_LOOPBACK >> 24;
}

bool
is_loopback_ip6(const struct in6_addr *ip6)
{
	struct in_addr ip4;

	return ip_unmap(ip6, &ip4) ? is_loopback_ip4(&ip4)
				   : IN6_IS_ADDR_LOOPBACK(ip6);
}

bool
ip_unmap(const struct in6_addr *ip6, struct in_addr *ret_ip4)
{
	if (!IN6_IS_ADDR_V4MAPPED(ip6))
		return false;
	memcpy(ret_ip4, &ip6->s6_addr[12], sizeof(*ret_ip4));
	return true;
}

struct ip4_range {
	uint32_t first;
	unsigned bits;
	enum ip_scope scope;
};

static const struct ip4_range ip4_ranges[] = {
	{ 0x00000000, 8, IP_SCOPE_UNSPECIFIED },
	{ 0x0a000000, 8, IP_SCOPE_PRIVATE },
	{ 0x64400000, 10, IP_SCOPE_PRIVATE },
	{ 0x7f000000, 8, IP_SCOPE_LOOPBACK },
	{ 0xa9fe0000, 16, IP_SCOPE_LINK_LOCAL },
	{ 0xac100000, 12, IP_SCOPE_PRIVATE },
	{ 0xc0a80000, 16, IP_SCOPE_PRIVATE },
	{ 0xe0000000, 4, IP_SCOPE_MULTICAST },
	{ 0xf0000000, 4, IP_SCOPE_RESERVED },
};

static enum ip_scope
find_scope_ip4(const struct in_addr *ip4)
{
	uint32_t ip = ntohl(ip4->s_addr);

	for (size_t i = 0; i < sizeof(ip4_ranges) / sizeof(*ip4_ranges); i++)
		if ((ip ^ ip4_ranges[i].first) >> (32 - ip4_ranges[i].bits) ==
		    0)
			return ip4_ranges[i].scope;
	return IP_SCOPE_PUBLIC;
}

static enum ip_scope
find_scope_ip6(const struct in6_addr *ip6)
{
	struct in_addr ip4;

	if (ip_unmap(ip6, &ip4))
		return find_scope_ip4(&ip4);
	if (IN6_IS_ADDR_LOOPBACK(ip6))
		return IP_SCOPE_LOOPBACK;
	if (IN6_IS_ADDR_UNSPECIFIED(ip6))
		return IP_SCOPE_UNSPECIFIED;
	if (IN6_IS_ADDR_LINKLOCAL(ip6))
		return IP_SCOPE_LINK_LOCAL;
	if (IN6_IS_ADDR_MULTICAST(ip6))
		return IP_SCOPE_MULTICAST;
	if ((ip6->s6_addr[0] & 0xfe) == 0xfc || IN6_IS_ADDR_SITELOCAL(ip6))
		return IP_SCOPE_PRIVATE;
	return IP_SCOPE_PUBLIC;
}

enum ip_scope
ip_find_scope(const struct sockaddr *address)
{
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;

	if (address->sa_family == AF_INET) {
		memcpy(&ip4, address, sizeof(ip4));
		return find_scope_ip4(&ip4.sin_addr);
	}
	memcpy(&ip6, address, sizeof(ip6));
	return find_scope_ip6(&ip6.sin6_addr);
}

const char *
ip_scope_name(enum ip_scope scope)
{
	static const char *const names[] = {
		[IP_SCOPE_PUBLIC] = "a public address",
		[IP_SCOPE_PRIVATE] = "a private address",
		[IP_SCOPE_LOOPBACK] = "a loopback address",
		[IP_SCOPE_UNSPECIFIED] = "an unspecified address",
		[IP_SCOPE_LINK_LOCAL] = "a link-local address",
		[IP_SCOPE_MULTICAST] = "a multicast address",
		[IP_SCOPE_RESERVED] = "a reserved address",
	};

	return names[scope];
}

bool
is_ip_notation(const char *text)
{
	struct in_addr ip4;

	return strpbrk(text, ":[]") != NULL || inet_aton(text, &ip4) != 0;
}
