/* SPDX-License-Identifier: ISC */

#ifndef ROUTE_H
#define ROUTE_H

#include <stddef.h>

#include "smtp-deliver/dns.h"
#include "smtp-deliver/verdict.h"

/* The hosts that take mail for a destination, the one to try first first. */
struct route {
	size_t host_count;
	char hosts[DNS_MX_MAX][DNS_NAME_SIZE]; /* names, or IP addresses */
};

/*
 * Find the way to a destination (RFC 5321 section 5.1, RFC 7505).
 *
 * destination	a domain, or an address literal.
 *
 * Returns 0, or -EHOSTUNREACH with ret_verdict telling why there is no way
 * now (deferred) or at all (failed).
 */
int route_find(const char *destination, struct route *ret_route,
    struct verdict *ret_verdict);

/* Put records into the order in which they are to be tried: by preference,
 * equal ones shuffled. */
void route_order(struct dns_mx *records, size_t count);

#endif
