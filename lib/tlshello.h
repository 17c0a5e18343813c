/* SPDX-License-Identifier: ISC */

#ifndef TLSHELLO_H
#define TLSHELLO_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The names for the server in a ClientHello (SNI, RFC 6066 section 3). Odd
 * octets of a name are all but letters, digits, hyphens and dots; taming a name
 * replaces each of them by "x".
 *
 * hello	size_bytes: the body of the message (RFC 8446 section 4.1.2).
 *		What follows a malformed part is ignored.
 */
bool tlshello_has_odd_names(unsigned char *hello, size_t size_bytes);
void tlshello_tame_names(unsigned char *hello, size_t size_bytes);

#endif
