/* SPDX-License-Identifier: ISC */

#ifndef MASQUERADE_H
#define MASQUERADE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"
#include "smtp-deliver/content/content.h"

#define MASQUERADE_MAX 32
#define MASQUERADE_ERROR_SIZE 256

/* A rewriting rule for senders; "" in old stands for this host. */
struct masquerade_item {
	char old[ADDRESS_SIZE]; /* a domain, ".domain", an address, or "" */
	char new[ADDRESS_SIZE]; /* a domain, or an address */
};

/* The first item that an address matches counts. */
struct masquerade {
	const char *hostname; /* of this host */
	size_t count;
	struct masquerade_item items[MASQUERADE_MAX];
};

/*
 * Parse SMTP_MASQUERADE: items, separated by commas or blanks:
 *
 *	NEW		this host: SMTP_HOSTNAME, localhost, and addresses
 *			without a domain
 *	OLD=NEW		a domain, .domain for all below it, or an address
 *
 * NEW is a domain, which replaces the old one, or an address, which replaces
 * the whole; in ASCII, because not all hosts accept UTF-8.
 *
 * text		NULL: there are no items.
 * hostname	used as long as ret_masquerade is.
 *
 * Returns 0, or -EINVAL with ret_error telling what was found and what was
 * expected.
 */
int masquerade_parse(const char *text, const char *hostname,
    struct masquerade *ret_masquerade, char ret_error[MASQUERADE_ERROR_SIZE]);

/* Rewrite an address; "" never matches. Returns whether it changed. */
bool masquerade_address(const struct masquerade *masquerade,
    const char *address, char ret_address[ADDRESS_SIZE]);

/*
 * Edit the addresses in the From and Sender fields of a message, and nothing
 * else of it. Addresses with unclear syntax stay as they are.
 *
 * content	without edits.
 *
 * Returns 0, or a negative errno if it cannot be read.
 */
int masquerade_content(const struct masquerade *masquerade,
    struct content *content);

#endif
