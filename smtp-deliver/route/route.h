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
			      * the MX record, or there is no MX record */
	unsigned preference;
	bool is_from_mx; /* an MX record names it */
};

/* The hosts that take mail for a destination, in the order to try them. */
struct route {
	bool has_level; /* TLS of that level is required, or none is used */
	enum level level;
	struct level_pins pins; /* with LEVEL_FINGERPRINT */
	bool is_relayed; /* the administrator's choice, not the recipient's:
			  * trouble with its hosts is never permanent */
	size_t host_count;
	struct route_host hosts[ROUTE_HOSTS_MAX];
	bool has_mx; /* the hosts have preferences */
	bool is_literal; /* the destination is an address literal */
	bool is_loop; /* it was cut before this host, which it led to */
	char refused[DNS_REFUSED_SIZE]; /* an address of a host that mail does
					   * not go to, and why; or "" */
	size_t known_count; /* hosts whose addresses were looked up */
	enum dns_answer answers[ROUTE_HOSTS_MAX];
	struct addrinfo *addresses[ROUTE_HOSTS_MAX]; /* with DNS_FOUND; owned */
};

/*
 * Find the hosts of a destination (RFC 5321 section 5.1, RFC 7505), or of the
 * relays that replace them.
 *
 * destination	a name as nexthop_format() writes it: a domain, an address
 *		literal, or relays.
 * settings	SMTP_HOSTNAME: the route is cut before a host of that name. A
 *		relay may have it.
 *
 * Returns whether the route has a host. If not, ret_verdict says why it has
 * none now (deferred) or at all (failed).
 */
bool route_find(const char *destination,
    const struct deliver_settings *settings, struct route *ret_route,
    struct verdict *ret_verdict);

/*
 * Look up the addresses of a host and of all hosts of its preference. If one of
 * them is this host itself, these and all worse ones leave the route. Hosts
 * that others have published are looked up in the DNS alone, and have no
 * addresses that are link-local, multicast or reserved; SMTP_PRIVATE_HOSTS
 * decides on private ones.
 *
 * settings	those of route_find().
 *
 * Returns whether the route still has that host.
 */
bool route_look_up(struct route *route, size_t host,
    const struct deliver_settings *settings);

/* Whether the MTA-STS policy of the destination applies. Relays are not the
 * recipients' choice, so the policy of their domain does not. */
static inline bool
route_has_policy(const struct route *route)
{
	return !route->is_relayed ||
	    (route->has_level && route->level == LEVEL_STS);
}

/* Set the verdict for a route that leads to this host only (RFC 5321 section
 * 5.1). */
void route_set_loop(struct verdict *ret_verdict);

/* Sort records by preference, and shuffle those of equal preference. */
void route_order(struct dns_mx *records, size_t count);

#endif
