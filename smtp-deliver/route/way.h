/* SPDX-License-Identifier: ISC */

#ifndef WAY_H
#define WAY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"
#include "smtp-deliver/route/nexthop.h"
#include "smtp-deliver/policy/trust.h"

#define WAY_ERROR_SIZE 512
#define WAY_SIZE 2560 /* eight relays, each with a port, and a level */

/* Where mail goes: to the hosts of a domain, or to relays; and what is asked of
 * these. */
struct way {
	bool is_relayed;
	char domain[ADDRESS_DOMAIN_MAX + 1]; /* or an address literal; "" as
					      * long as it is every domain */
	struct nexthops relays;
	bool has_level; /* TLS is to be as good as that, or none */
	enum trust_level level;
};

/*
 * Parse a way as an administrator writes it:
 *
 *	mx [tls LEVEL]		the hosts of the recipient's domain
 *	RELAY... [tls LEVEL]	what nexthop_parse() takes
 *
 * where LEVEL is dane, sts, verify, or none for relays that are hosts.
 *
 * Returns 0, or -EINVAL with ret_error telling in printable words what was
 * found and what was expected; ret_way is then unspecified.
 */
int way_parse(const char *text, struct way *ret_way,
    char ret_error[WAY_ERROR_SIZE]);

/*
 * A way as the name of a destination: that of one that leads to the same hosts,
 * asking the same of them, is the same.
 *
 *	example.org			the hosts of a domain
 *	example.org tls dane
 *	via [a.example]:587 tls verify	relays
 */
void way_format(const struct way *way, char ret_name[WAY_SIZE]);

/* What way_format() wrote. Returns 0, or -EINVAL if it did not. */
int way_parse_name(const char *name, struct way *ret_way);

/* The domain whose MTA-STS policy says what is asked of its hosts: that of the
 * recipients, or of a relay where the administrator wants it (RFC 8461 section
 * 2, "Policy Domain"). NULL: no policy is of interest. */
const char *way_policy_domain(const struct way *way);

#endif
