/* SPDX-License-Identifier: ISC */

#ifndef ROUTE_H
#define ROUTE_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/settings.h"
#include "smtp-deliver/dns.h"
#include "smtp-deliver/verdict.h"

/* The hosts that take mail for a destination, the one to try first first. */
struct route {
	size_t host_count;
	char hosts[DNS_MX_MAX][DNS_NAME_SIZE]; /* names, or IP addresses */
	unsigned preferences[DNS_MX_MAX];
	bool has_mx; /* the preferences mean something */
	bool is_literal; /* somebody has named the host's address */
	bool is_loop; /* it went on to this host, and was cut before that */
	size_t known_count; /* hosts whose addresses were looked up */
	enum dns_answer answers[DNS_MX_MAX];
	struct addrinfo *addresses[DNS_MX_MAX]; /* with DNS_FOUND; ours */
};

/*
 * Find the way to a destination (RFC 5321 section 5.1, RFC 7505).
 *
 * destination	a domain, or an address literal.
 * settings	SMTP_HOSTNAME: where the route would lead to that name it is
 *		cut.
 *
 * Returns 0, or -EHOSTUNREACH with ret_verdict telling why there is no way
 * now (deferred) or at all (failed).
 */
int route_find(const char *destination, const struct settings *settings,
    struct route *ret_route, struct verdict *ret_verdict);

/*
 * Look up the addresses of a host and of all that have its preference. If one
 * of them is this host itself, these and all worse ones leave the route.
 *
 * Returns whether there still is such a host.
 */
bool route_look_up(struct route *route, size_t host,
    const struct settings *settings);

/* That a route has only led to this host (RFC 5321 section 5.1). */
void route_set_loop(struct verdict *ret_verdict);

/* Put records into the order in which they are to be tried: by preference,
 * equal ones shuffled. */
void route_order(struct dns_mx *records, size_t count);

#endif
