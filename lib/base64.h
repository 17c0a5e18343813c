/* SPDX-License-Identifier: ISC */

#ifndef BASE64_H
#define BASE64_H

#include <sys/types.h>

#include <stddef.h>

/* Base64 (RFC 4648 section 4). So many octets of text, with a NUL, do so many
 * become. */
#define BASE64_SIZE(octets) (((octets) + 2) / 3 * 4 + 1)

/* ret_text has BASE64_SIZE(size) octets. */
void base64_encode(const void *data, size_t size, char *ret_text);

/*
 * Strictly: nothing but digits, padded as they must be.
 *
 * Returns how many octets, or -EBADMSG for what is no base64 or has more of them
 * than size; ret_data is then unspecified.
 */
ssize_t base64_decode(const char *text, void *ret_data, size_t size);

#endif
