/* SPDX-License-Identifier: ISC */

#ifndef NETWORK_H
#define NETWORK_H

#include <sys/socket.h>

#include <stdbool.h>

/*
 * Whether this host has a network. Without one, nothing was tried, and other
 * hosts are not at fault. Nothing but a query to the resolver is sent to find
 * out.
 */

/* Whether this host has a route to an address. */
bool network_has_route(const struct sockaddr *address, socklen_t length);

/* Whether it has a route to the Internet, by IPv4 or IPv6. */
bool network_has_any_route(void);

/*
 * Whether the resolver works: a nameserver of resolv.conf(5) gives any answer.
 * A nameserver on this host, which may answer without knowing anything, does
 * not count without a route to others. Takes as long as resolv.conf(5) lets the
 * resolver wait. Call dns_start() first.
 */
bool network_has_resolver(void);

#endif
