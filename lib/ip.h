/* SPDX-License-Identifier: ISC */

#ifndef IP_H
#define IP_H

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

#endif
