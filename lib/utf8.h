/* SPDX-License-Identifier: ISC */

#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Return the length of the well-formed UTF-8 sequence at the start of a text
 * that ends in a NUL (RFC 3629 section 4), or 0 if there is none. 0 for ASCII,
 * too: callers have rules of their own for it.
 */
size_t utf8_length(const char *text);

/* Return the character of a sequence whose length utf8_length() has given. */
uint32_t utf8_decode(const char *text, size_t length);

/* Whether one of the first length octets is outside ASCII. */
bool has_high_octet(const char *text, size_t length);

#endif
