/* SPDX-License-Identifier: ISC */

/*
 * route.c - which hosts take mail for a destination (RFC 5321 section 5.1).
 *
 * MX records by preference; without any, the domain itself; an address literal
 * is its own host. A null MX (RFC 7505) or a missing domain is a failure.
 *
 * Relays that replace them are used one after the other.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/ip.h"
#include "smtp-deliver/route/relays.h"
#include "smtp-deliver/route/route.h"
#include "smtp-deliver/route/self.h"
#include "smtp-deliver/route/nexthop.h"

static int
compare_preferences(const void *a, const void *b)
{
	const struct dns_mx *left = a, *right = b;

	return (left->preference > right->preference) -
	    (left->preference < right->preference);
}

void
route_order(struct dns_mx *records, size_t count)
{
	/* Shuffle all, then sort: glibc's qsort(3) may not be stable, which
	 * does not matter for a shuffled order. */
	for (size_t i = count; i > 1; i--) {
		size_t j = arc4random_uniform((uint32_t)i);
		struct dns_mx swap = records[i - 1];

		records[i - 1] = records[j];
		records[j] = swap;
	}
	qsort(records, count, sizeof(*records), compare_preferences);
}

/* Add a host like another one, with a name of its own and a preference that is
 * worse by so much. Without room it is dropped: there are enough. */
static void
add_host(struct route *route, const struct route_host *like, const char *name,
    unsigned preference)
{
	struct route_host *host = &route->hosts[route->host_count];

	if (route->host_count == ROUTE_HOSTS_MAX)
		return;
	*host = *like;
	(void)strlcpy(host->name, name, sizeof(host->name));
	host->preference += preference;
	route->host_count++;
}

void
route_set_loop(struct verdict *ret_verdict)
{
	verdict_set(ret_verdict, OUTCOME_FAILED, "5.4.6",
	    "mail loops back to myself");
}

/* Remove the hosts of a preference and all worse ones: this host is among
 * them. */
static void
cut(struct route *route, unsigned preference)
{
	size_t count = 0;

	while (count < route->host_count &&
	    route->hosts[count].preference < preference)
		count++;
	for (size_t i = count; i < route->known_count; i++)
		if (route->answers[i] == DNS_FOUND)
			freeaddrinfo(route->addresses[i]);
	if (route->known_count > count)
		route->known_count = count;
	route->host_count = count;
	route->is_loop = true;
}

/* Cut the route before a host with our name. Returns whether a host is left. */
static bool
cut_at_own_name(struct route *route, const struct deliver_settings *settings,
    struct verdict *ret_verdict)
{
	for (size_t i = 0; i < route->host_count; i++)
		if (self_has_name(settings, route->hosts[i].name))
			cut(route, route->hosts[i].preference);
	if (route->host_count > 0)
		return true;
	route_set_loop(ret_verdict);
	return false;
}

static void
look_up(struct route *route, size_t number,
    const struct deliver_settings *settings)
{
	const struct route_host *host = &route->hosts[number];

	route->answers[number] = dns_find_addresses(host->name, host->port,
	    route->is_relayed && !host->is_from_mx ? DNS_SYSTEM : DNS_ALONE,
	    &route->addresses[number]);
	if (route->is_literal || route->is_relayed ||
	    route->answers[number] != DNS_FOUND)
		return;
	if (self_has_address(route->addresses[number])) {
		cut(route, host->preference);
		return;
	}
	dns_refuse_addresses(&route->addresses[number],
	    settings->is_private_allowed, route->refused);
	if (route->addresses[number] == NULL)
		route->answers[number] = DNS_NO_DATA;
}

bool
route_look_up(struct route *route, size_t host,
    const struct deliver_settings *settings)
{
	unsigned preference = route->hosts[host].preference;
	bool is_known = host < route->known_count;

	while (route->known_count < route->host_count &&
	    route->hosts[route->known_count].preference <= preference) {
		route->known_count++;
		look_up(route, route->known_count - 1, settings);
	}
	/* A host without an answer for the last message may have one now. */
	if (is_known && route->answers[host] == DNS_TROUBLE)
		look_up(route, host, settings);
	return host < route->host_count;
}

/* A null MX must be the only record; two of them name no host either. */
static bool
has_no_host(const struct dns_mx *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (records[i].host[0] != '\0')
			return false;
	return count > 0;
}

/* Add the hosts of MX records. A record that has an address in place of a name
 * names none (RFC 5321 section 5.1). Returns whether there are hosts. */
static bool
add_mx(struct route *route, struct route_host *like, struct dns_mx *records,
    size_t count, struct verdict *ret_verdict)
{
	bool has_any = false;

	if (has_no_host(records, count)) {
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.1.10",
		    "the domain takes no mail (null MX)");
		return false;
	}
	route_order(records, count);
	route->has_mx = !route->is_relayed;
	like->is_from_mx = true;
	for (size_t i = 0; i < count; i++) {
		if (records[i].host[0] == '\0' ||
		    is_ip_notation(records[i].host))
			continue;
		add_host(route, like, records[i].host, records[i].preference);
		has_any = true;
	}
	if (has_any)
		return true;
	verdict_set(ret_verdict, OUTCOME_FAILED, "5.4.4",
	    "the MX records of the domain have addresses in place of hosts");
	return false;
}

/* Add the hosts of like's domain. Returns whether it has any. */
static bool
add_domain(struct route *route, struct route_host *like,
    struct verdict *ret_verdict)
{
	struct dns_mx records[DNS_MX_MAX];
	char ascii[DNS_NAME_SIZE];
	size_t count = 0;

	if (idna_to_ascii(like->domain, ascii) < 0) {
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.1.2",
		    "the domain cannot be written for the DNS");
		return false;
	}
	switch (dns_find_mx(ascii, records, &count, &like->is_name_secure)) {
	case DNS_FOUND:
		return add_mx(route, like, records, count, ret_verdict);
	case DNS_NO_DATA:
		/* A forger of that answer must still show the domain's own
		 * certificate. */
		like->is_name_secure = true;
		add_host(route, like, ascii, 0);
		return true;
	case DNS_NO_DOMAIN:
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.1.2",
		    "there is no such domain");
		return false;
	case DNS_TROUBLE:
		break;
	}
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.3",
	    "the DNS gave no answer about the domain");
	return false;
}

/* Add the hosts of a relay, after those of earlier ones. An unusable relay
 * leaves the others. */
static bool
add_relay(struct route *route, const struct relay *relay, unsigned number,
    int default_port, struct verdict *ret_verdict)
{
	struct route_host like = {
		.port = relay->port != 0 ? relay->port : default_port,
		.preference = number << 16,
		.is_name_secure = true,
	};
	char name[DNS_NAME_SIZE];

	like.is_tls_first = like.port == RELAYS_PORT_TLS;
	(void)strlcpy(like.domain, relay->name, sizeof(like.domain));
	if (relay->is_domain)
		return add_domain(route, &like, ret_verdict);
	if (idna_to_ascii(relay->name, name) < 0)
		(void)strlcpy(name, relay->name, sizeof(name)); /* IPv6 */
	add_host(route, &like, name, 0);
	return true;
}

static void
set_relay_trouble(const char *name, struct verdict *verdict)
{
	char reason[VERDICT_TEXT_SIZE];

	(void)strlcpy(reason, verdict->reason, sizeof(reason));
	verdict_set(verdict, OUTCOME_DEFERRED, "4.4.4", "relay %s: %s", name,
	    reason);
}

/* Find the relays' hosts. Without any the mail waits, whatever the DNS says
 * about them: it is not about the recipients. */
static bool
find_relays(const struct relays *relays,
    const struct deliver_settings *settings, struct route *ret_route,
    struct verdict *ret_verdict)
{
	for (size_t i = 0; i < relays->count; i++) {
		const struct relay *relay = &relays->entries[i];

		if (!add_relay(ret_route, relay, (unsigned)i,
			settings->remote_port, ret_verdict))
			set_relay_trouble(relay->name, ret_verdict);
	}
	return ret_route->host_count > 0;
}

bool
route_find(const char *destination, const struct deliver_settings *settings,
    struct route *ret_route, struct verdict *ret_verdict)
{
	struct route_host like = {
		.port = settings->remote_port,
		.is_name_secure = true,
	};
	struct nexthop nexthop;
	char ip[46];

	*ret_route = (struct route){ .host_count = 0 };
	if (nexthop_parse_name(destination, &nexthop) < 0) {
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.3.5",
		    "this is no destination");
		return false;
	}
	ret_route->has_level = nexthop.has_level;
	ret_route->level = nexthop.level;
	ret_route->pins = nexthop.pins;
	ret_route->is_relayed = nexthop.is_relayed;
	if (nexthop.is_relayed)
		return find_relays(&nexthop.relays, settings, ret_route,
		    ret_verdict);
	(void)strlcpy(like.domain, nexthop.domain, sizeof(like.domain));
	if (address_literal_ip(nexthop.domain, ip) == 0) {
		ret_route->is_literal = true;
		add_host(ret_route, &like, ip, 0);
		return true;
	}
	return add_domain(ret_route, &like, ret_verdict) &&
	    cut_at_own_name(ret_route, settings, ret_verdict);
}
