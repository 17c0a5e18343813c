/* SPDX-License-Identifier: ISC */

/*
 * ip.c - classify IP addresses. Pure.
 */

#include "config.h"

#include <arpa/inet.h>
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
