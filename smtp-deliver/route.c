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
	(void)strlcpy(ret_route->hosts[0], host, sizeof(ret_route->hosts[0]));
	ret_route->host_count = 1;
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
	ret_route->host_count = 0;
	for (size_t i = 0; i < count; i++)
		if (records[i].host[0] != '\0')
			(void)strlcpy(ret_route->hosts[ret_route->host_count++],
			    records[i].host, DNS_NAME_SIZE);
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
route_find(const char *destination, struct route *ret_route,
    struct verdict *ret_verdict)
{
	char ip[46];

	if (address_literal_ip(destination, ip) == 0) {
		use_one_host(ip, ret_route);
		return 0;
	}
	return find_domain(destination, ret_route, ret_verdict);
}
