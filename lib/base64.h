/* SPDX-License-Identifier: ISC */

#ifndef BASE64_H
#define BASE64_H

#include <sys/types.h>

#include <stddef.h>

/* Base64 (RFC 4648 section 4): the size of the text of that many octets, with a
 * NUL. */
#define BASE64_SIZE(octets) (((octets) + 2) / 3 * 4 + 1)

/* ret_text has BASE64_SIZE(size) octets. */
void base64_encode(const void *data, size_t size, char *ret_text);

/*
 * Decode strictly: only digits, with the right padding.
 *
 * Returns the number of octets, or -EBADMSG if the text is not base64 or has
 * more than size octets; ret_data is then unspecified.
 */
ssize_t base64_decode(const char *text, void *ret_data, size_t size);

#endif
