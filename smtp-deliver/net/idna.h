/* SPDX-License-Identifier: ISC */

#ifndef IDNA_H
#define IDNA_H

#define DNS_NAME_SIZE 256

/*
 * Convert a domain to the form that the DNS has, in lower case and without a
 * dot at the end: U-labels become A-labels (RFC 5891), labels of ASCII stay.
 *
 * Returns 0, or -EBADMSG if the result is no name of letters, digits, hyphens,
 * underscores and dots, or too long for the DNS.
 */
int idna_to_ascii(const char *domain, char ret_domain[DNS_NAME_SIZE]);

#endif
