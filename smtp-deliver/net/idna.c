/* SPDX-License-Identifier: ISC */

/*
 * idna.c - domain names in the form that the DNS has them (RFC 5891). Pure.
 */

#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <idn2.h>

#include "smtp-deliver/net/idna.h"

/* Whether the name has letters, digits, hyphens, underscores and dots only. */
static bool
is_plain(const char *domain)
{
	return domain[strspn(domain,
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		   "0123456789-_.")] == '\0';
}

/*
 * Characters that look like letters may map to any sign, as U+FF1B does to ";",
 * and the name goes into signatures and URLs. libidn2's check for that, the
 * STD 3 rules, does not help: it drops such signs, which yields another name.
 */
int
idna_to_ascii(const char *domain, char ret_domain[DNS_NAME_SIZE])
{
	char *ascii = NULL;
	int r;

	r = idn2_to_ascii_8z(domain, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r != IDN2_OK)
		return -EBADMSG;
	r = is_plain(ascii) &&
		strlcpy(ret_domain, ascii, DNS_NAME_SIZE) < DNS_NAME_SIZE
	    ? 0
	    : -EBADMSG;
	idn2_free(ascii);
	return r;
}
