/* SPDX-License-Identifier: ISC */

#ifndef ROUTE_H
#define ROUTE_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>

#include "smtp-deliver/settings.h"
#include "smtp-deliver/net/dns.h"
#include "smtp-deliver/policy/level.h"
#include "smtp-deliver/verdict.h"

#define ROUTE_HOSTS_MAX DNS_MX_MAX

struct route_host {
	char name[DNS_NAME_SIZE]; /* or an IP address */
	char domain[DNS_NAME_SIZE]; /* whose MX record names it, or itself */
	int port;
	bool is_tls_first; /* TLS from the first octet (RFC 8314) */
	bool is_name_secure; /* nobody can have forged it: DNSSEC vouches for
			      * the MX record, or there is none */
	unsigned preference;
};

/* The hosts that take mail for a destination, the one to try first first. */
struct route {
	bool has_level; /* so much is asked of TLS there, or nothing */
	enum level level;
	bool is_relayed; /* by the administrator's word, not the recipient's:
			  * what is wrong with it makes nobody fail */
	size_t host_count;
	struct route_host hosts[ROUTE_HOSTS_MAX];
	bool has_mx; /* the preferences mean something */
	bool is_literal; /* somebody has named the host's address */
	bool is_loop; /* it went on to this host, and was cut before that */
	size_t known_count; /* hosts whose addresses were looked up */
	enum dns_answer answers[ROUTE_HOSTS_MAX];
	struct addrinfo *addresses[ROUTE_HOSTS_MAX]; /* with DNS_FOUND; ours */
};

/*
 * Find the way to a destination (RFC 5321 section 5.1, RFC 7505), or by the
 * relays that are to be used in its place.
 *
 * destination	a name as nexthop_format() writes it: a domain, an address
 *		literal, or relays.
 * settings	SMTP_HOSTNAME: where the route would lead to that name it is
 *		cut. Relays may be there.
 *
 * Returns 0, or -EHOSTUNREACH with ret_verdict telling why there is no way
 * now (deferred) or at all (failed).
 */
int route_find(const char *destination, const struct deliver_settings *settings,
    struct route *ret_route, struct verdict *ret_verdict);

/*
 * Look up the addresses of a host and of all that have its preference. If one
 * of them is this host itself, these and all worse ones leave the route.
 *
 * Returns whether there still is such a host.
 */
bool route_look_up(struct route *route, size_t host);

/* Whether the MTA-STS policy of the destination is of interest. A relay is not
 * the recipients' choice: their domain's is not. */
static inline bool
route_has_policy(const struct route *route)
{
	return !route->is_relayed ||
	    (route->has_level && route->level == LEVEL_STS);
}

/* That a route has only led to this host (RFC 5321 section 5.1). */
void route_set_loop(struct verdict *ret_verdict);

/* Put records into the order in which they are to be tried: by preference,
 * equal ones shuffled. */
void route_order(struct dns_mx *records, size_t count);

#endif
