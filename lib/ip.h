/* SPDX-License-Identifier: ISC */

#ifndef IP_H
#define IP_H

#include <sys/socket.h>

#include <netinet/in.h>
#include <stdbool.h>

/* Whether the text is an IP address as inet_pton(3) reads it. */
bool is_ip(const char *text);

/* Whether the address is a loopback address: 127.0.0.0/8 (RFC 1122 section
 * 3.2.1.3), ::1 (RFC 4291 section 2.5.3), or an IPv4-mapped one of the
 * former. */
bool is_loopback_ip4(const struct in_addr *ip4);
bool is_loopback_ip6(const struct in6_addr *ip6);

/* Extract the IPv4 address of an IPv4-mapped one (RFC 4291 section 2.5.5.2).
 * Returns whether it was one. */
bool ip_unmap(const struct in6_addr *ip6, struct in_addr *ret_ip4);

/* What an address is for (RFC 6890). */
enum ip_scope {
	IP_SCOPE_PUBLIC,
	IP_SCOPE_PRIVATE, /* RFC 1918, RFC 6598, RFC 4193 */
	IP_SCOPE_LOOPBACK,
	IP_SCOPE_UNSPECIFIED, /* 0.0.0.0/8, :: */
	IP_SCOPE_LINK_LOCAL, /* 169.254.0.0/16, fe80::/10 */
	IP_SCOPE_MULTICAST,
	IP_SCOPE_RESERVED, /* 240.0.0.0/4, with the broadcast address */
};

/* The scope of an IPv4 or IPv6 socket address; an IPv4-mapped one has that of
 * the address within. */
enum ip_scope ip_find_scope(const struct sockaddr *address);

/* The scope in words: "a link-local address". */
const char *ip_scope_name(enum ip_scope scope);

/* Whether a resolver may take the text for an address, in any notation: that of
 * inet_aton(3), such as 0x7f000001 or 127.1, one with a colon or brackets. */
bool is_ip_notation(const char *text);

#endif
