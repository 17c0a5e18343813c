/* SPDX-License-Identifier: ISC */

#ifndef NEXTHOP_H
#define NEXTHOP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"
#include "smtp-deliver/route/relays.h"
#include "smtp-deliver/policy/level.h"

#define NEXTHOP_ERROR_SIZE 512
#define NEXTHOP_SIZE \
	2560 /* eight relays, each with a port, a level, and its pins */

/* Where mail goes: to the MX hosts of a domain, or to relays; and the TLS that
 * is required of them. */
struct nexthop {
	bool is_relayed;
	char domain[ADDRESS_DOMAIN_MAX + 1]; /* or an address literal; "" for
					      * the recipient's domain */
	struct relays relays;
	bool has_level; /* TLS must be of that level, or is not used */
	enum level level;
	struct level_pins pins; /* with LEVEL_FINGERPRINT */
};

/*
 * Parse a next hop as an administrator writes it:
 *
 *	mx [tls LEVEL]		the hosts of the recipient's domain
 *	RELAY... [tls LEVEL]	what relays_parse() takes
 *
 * where LEVEL is dane, sts, verify, encrypt, may, "fingerprint" and one or two
 * of SHA256:HEX, or none for relays that are hosts.
 *
 * Returns 0, or -EINVAL with ret_error saying, in printable characters, what
 * was found and what was expected; ret_nexthop is then unspecified.
 */
int nexthop_parse(const char *text, struct nexthop *ret_nexthop,
    char ret_error[NEXTHOP_ERROR_SIZE]);

/*
 * Write a next hop as the name of a destination. Next hops with the same hosts
 * and the same requirements have the same name.
 *
 *	example.org			the hosts of a domain
 *	example.org tls dane
 *	via [a.example]:587 tls verify	relays
 */
void nexthop_format(const struct nexthop *nexthop, char ret_name[NEXTHOP_SIZE]);

/* Parse what nexthop_format() wrote. Returns 0, or -EINVAL for other text. */
int nexthop_parse_name(const char *name, struct nexthop *ret_nexthop);

/* The domain whose MTA-STS policy applies: that of the recipients, or of a
 * relay if the administrator asks for it (RFC 8461 section 2, "Policy Domain").
 * NULL: no policy applies. */
const char *nexthop_policy_domain(const struct nexthop *nexthop);

#endif
