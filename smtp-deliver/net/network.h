/* SPDX-License-Identifier: ISC */

#ifndef NETWORK_H
#define NETWORK_H

#include <sys/socket.h>

#include <stdbool.h>

/*
 * Whether there is a network to deliver over. Where there is none nothing was
 * tried, and that is no fault of the other hosts'. Nothing but a question to
 * the resolver is sent to find out.
 */

/* Whether this host knows a way to an address. */
bool network_has_route(const struct sockaddr *address, socklen_t length);

/* Whether it knows a way to the Internet, by IPv4 or IPv6. */
bool network_has_any_route(void);

/*
 * Whether the resolver can be asked: a nameserver of resolv.conf(5) gives any
 * answer. One on this host, which may say that it knows nothing, does not count
 * without a way to others. Takes as long as resolv.conf(5) has the resolver
 * wait. After dns_start().
 */
bool network_has_resolver(void);

#endif
