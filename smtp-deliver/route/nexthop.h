/* SPDX-License-Identifier: ISC */

#ifndef NEXTHOP_H
#define NEXTHOP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"
#include "smtp-deliver/route/relays.h"
#include "smtp-deliver/policy/level.h"

#define NEXTHOP_ERROR_SIZE 512
#define NEXTHOP_SIZE 2560 /* eight relays, each with a port, and a level */

/* Where mail goes: to the hosts of a domain, or to relays; and what is asked of
 * these. */
struct nexthop {
	bool is_relayed;
	char domain[ADDRESS_DOMAIN_MAX + 1]; /* or an address literal; "" as
					      * long as it is every domain */
	struct relays relays;
	bool has_level; /* TLS is to be as good as that, or none */
	enum level level;
};

/*
 * Parse a way as an administrator writes it:
 *
 *	mx [tls LEVEL]		the hosts of the recipient's domain
 *	RELAY... [tls LEVEL]	what relays_parse() takes
 *
 * where LEVEL is dane, sts, verify, or none for relays that are hosts.
 *
 * Returns 0, or -EINVAL with ret_error telling in printable words what was
 * found and what was expected; ret_way is then unspecified.
 */
int nexthop_parse(const char *text, struct nexthop *ret_way,
    char ret_error[NEXTHOP_ERROR_SIZE]);

/*
 * A way as the name of a destination: that of one that leads to the same hosts,
 * asking the same of them, is the same.
 *
 *	example.org			the hosts of a domain
 *	example.org tls dane
 *	via [a.example]:587 tls verify	relays
 */
void nexthop_format(const struct nexthop *nexthop, char ret_name[NEXTHOP_SIZE]);

/* What nexthop_format() wrote. Returns 0, or -EINVAL if it did not. */
int nexthop_parse_name(const char *name, struct nexthop *ret_way);

/* The domain whose MTA-STS policy says what is asked of its hosts: that of the
 * recipients, or of a relay where the administrator wants it (RFC 8461 section
 * 2, "Policy Domain"). NULL: no policy is of interest. */
const char *nexthop_policy_domain(const struct nexthop *nexthop);

#endif
