/* SPDX-License-Identifier: ISC */

#ifndef RELAYS_H
#define RELAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"

#define RELAYS_MAX 8
#define RELAYS_ERROR_SIZE 256
#define RELAYS_PORT_TLS 465 /* TLS from the first octet: RFC 8314 */

/* A host, or a domain whose MX hosts are meant, that takes all mail. */
struct relay {
	char name[ADDRESS_DOMAIN_MAX + 1]; /* or an IP address */
	bool is_domain; /* its MX hosts are meant */
	uint16_t port; /* 0: none was named */
};

/* In the order in which they are to be tried. */
struct relays {
	size_t count;
	struct relay relay[RELAYS_MAX];
};

/*
 * Parse next hops, separated by commas or blanks:
 *
 *	NAME	the MX hosts of a domain, or itself where it has none
 *	[NAME]	a host
 *	[IP]	a host; [IPv6:...] is fine, too
 *
 * each with :PORT behind it, or without.
 *
 * Returns 0, or -EINVAL with ret_error telling in printable words what was
 * found and what was expected; ret_hops is then unspecified.
 */
int relays_parse(const char *text, struct relays *ret_hops,
    char ret_error[RELAYS_ERROR_SIZE]);

#endif
