/* SPDX-License-Identifier: ISC */

/*
 * utf8.c - recognize UTF-8 (RFC 3629 section 4). Pure.
 */

#include "config.h"

#include <stdbool.h>

#include "lib/utf8.h"

static size_t
expected_length(unsigned char first)
{
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

/* Whether the form is overlong, a surrogate, or beyond U+10FFFF. */
static bool
is_forbidden(unsigned char first, unsigned char second)
{
	return (first == 0xe0 && second < 0xa0) ||
	    (first == 0xed && second > 0x9f) ||
	    (first == 0xf0 && second < 0x90) ||
	    (first == 0xf4 && second > 0x8f);
}

size_t
utf8_length(const char *text)
{
	const unsigned char *u = (const unsigned char *)text;
	size_t length = expected_length(u[0]);

	for (size_t i = 1; i < length; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return length > 0 && is_forbidden(u[0], u[1]) ? 0 : length;
}

uint32_t
utf8_decode(const char *text, size_t length)
{
	uint32_t character = (unsigned char)*text & (0xffU >> (length + 1));

	for (size_t i = 1; i < length; i++)
		character = character << 6 | ((unsigned char)text[i] & 0x3f);
	return character;
}

bool
has_high_octet(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] >= 0x80)
			return true;
	return false;
}
