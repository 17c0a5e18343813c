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

/* A host that takes mail instead of MX hosts, or a domain whose MX hosts do. */
struct relay {
	char name[ADDRESS_DOMAIN_MAX + 1]; /* or an IP address */
	bool is_domain; /* its MX hosts take the mail */
	uint16_t port; /* 0: no port was given */
};

/* Relays, in the order in which they are tried. */
struct relays {
	size_t count;
	struct relay entries[RELAYS_MAX];
};

/*
 * Parse relays, separated by commas or blanks:
 *
 *	NAME	the MX hosts of a domain, or itself where it has none
 *	[NAME]	a host
 *	[IP]	a host; or [IPv6:...]
 *
 * each with or without a :PORT.
 *
 * Returns 0, or -EINVAL with ret_error saying, in printable characters, what
 * was found and what was expected; ret_relays is then unspecified.
 */
int relays_parse(const char *text, struct relays *ret_relays,
    char ret_error[RELAYS_ERROR_SIZE]);

#endif
