/* SPDX-License-Identifier: ISC */

/*
 * route.c - which hosts take mail for a destination (RFC 5321 section 5.1).
 *
 * MX records by preference; without any, the domain itself; an address literal
 * is its own host. A null MX (RFC 7505) or no such domain ends it at once.
 */

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "smtp-deliver/route.h"
#include "smtp-deliver/self.h"

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
	 * does no harm to a shuffled order. */
	for (size_t i = count; i > 1; i--) {
		size_t j = arc4random_uniform((uint32_t)i);
		struct dns_mx swap = records[i - 1];

		records[i - 1] = records[j];
		records[j] = swap;
	}
	qsort(records, count, sizeof(*records), compare_preferences);
}

static void
use_one_host(const char *host, struct route *ret_route)
{
	*ret_route = (struct route){ .host_count = 1 };
	(void)strlcpy(ret_route->hosts[0], host, sizeof(ret_route->hosts[0]));
}

void
route_set_loop(struct verdict *ret_verdict)
{
	verdict_set(ret_verdict, OUTCOME_FAILED, "5.4.6",
	    "mail loops back to myself");
}

/* Hosts of a preference and all worse ones are this host, or behind it. */
static void
cut(struct route *route, unsigned preference)
{
	size_t count = 0;

	while (
	    count < route->host_count && route->preferences[count] < preference)
		count++;
	for (size_t i = count; i < route->known_count; i++)
		if (route->answers[i] == DNS_FOUND)
			freeaddrinfo(route->addresses[i]);
	if (route->known_count > count)
		route->known_count = count;
	route->host_count = count;
	route->is_loop = true;
}

/* Cut the route before the host that has our name. */
static int
cut_at_own_name(struct route *route, const struct settings *settings,
    struct verdict *ret_verdict)
{
	for (size_t i = 0; i < route->host_count; i++)
		if (self_has_name(settings, route->hosts[i]))
			cut(route, route->preferences[i]);
	if (route->host_count > 0)
		return 0;
	route_set_loop(ret_verdict);
	return -EHOSTUNREACH;
}

static void
look_up(struct route *route, size_t host, const struct settings *settings)
{
	route->answers[host] = dns_find_addresses(route->hosts[host],
	    settings->remote_port, &route->addresses[host]);
	if (!route->is_literal && route->answers[host] == DNS_FOUND &&
	    self_has_address(route->addresses[host]))
		cut(route, route->preferences[host]);
}

bool
route_look_up(struct route *route, size_t host, const struct settings *settings)
{
	unsigned preference = route->preferences[host];
	bool is_known = host < route->known_count;

	while (route->known_count < route->host_count &&
	    route->preferences[route->known_count] <= preference) {
		route->known_count++;
		look_up(route, route->known_count - 1, settings);
	}
	/* What had no answer for the last message may have one now. */
	if (is_known && route->answers[host] == DNS_TROUBLE)
		look_up(route, host, settings);
	return host < route->host_count;
}

static int
use_mx(struct dns_mx *records, size_t count, struct route *ret_route,
    struct verdict *ret_verdict)
{
	if (count == 1 && records[0].host[0] == '\0') {
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.1.10",
		    "the domain takes no mail (null MX)");
		return -EHOSTUNREACH;
	}
	route_order(records, count);
	*ret_route = (struct route){ .has_mx = true };
	for (size_t i = 0; i < count; i++) {
		size_t host = ret_route->host_count;

		if (records[i].host[0] == '\0')
			continue;
		(void)strlcpy(ret_route->hosts[host], records[i].host,
		    DNS_NAME_SIZE);
		ret_route->preferences[host] = records[i].preference;
		ret_route->host_count++;
	}
	return 0;
}

static int
find_domain(const char *domain, struct route *ret_route,
    struct verdict *ret_verdict)
{
	struct dns_mx records[DNS_MX_MAX];
	char ascii[DNS_NAME_SIZE];
	size_t count = 0;

	if (dns_to_ascii(domain, ascii) < 0) {
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.1.2",
		    "the domain cannot be written for the DNS");
		return -EHOSTUNREACH;
	}
	switch (dns_find_mx(ascii, records, &count)) {
	case DNS_FOUND:
		return use_mx(records, count, ret_route, ret_verdict);
	case DNS_NO_DATA:
		use_one_host(ascii, ret_route);
		return 0;
	case DNS_NO_DOMAIN:
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.1.2",
		    "there is no such domain");
		return -EHOSTUNREACH;
	case DNS_TROUBLE:
		break;
	}
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.3",
	    "the DNS gave no answer about the domain");
	return -EHOSTUNREACH;
}

int
route_find(const char *destination, const struct settings *settings,
    struct route *ret_route, struct verdict *ret_verdict)
{
	char ip[46];
	int r;

	if (address_literal_ip(destination, ip) == 0) {
		use_one_host(ip, ret_route);
		ret_route->is_literal = true;
		return 0;
	}
	r = find_domain(destination, ret_route, ret_verdict);
	return r < 0 ? r : cut_at_own_name(ret_route, settings, ret_verdict);
}
