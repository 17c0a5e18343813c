/* SPDX-License-Identifier: ISC */

#ifndef IDNA_H
#define IDNA_H

#define DNS_NAME_SIZE 256

/*
 * Convert a domain to the form that the DNS has: U-labels become A-labels (RFC
 * 5891).
 *
 * Returns 0, or -EBADMSG if the result is no name of letters, digits, hyphens,
 * underscores and dots.
 */
int idna_to_ascii(const char *domain, char ret_domain[DNS_NAME_SIZE]);

#endif
