/* SPDX-License-Identifier: ISC */

/*
 * base64.c - octets as text, and back (RFC 4648 section 4).
 *
 * Pure: no I/O, no memory.
 */

#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "lib/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(const void *data, size_t size, char *ret_text)
{
	const uint8_t *octets = data;

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		unsigned bits = (unsigned)octets[i] << 16;

		if (left > 1)
			bits |= (unsigned)octets[i + 1] << 8;
		if (left > 2)
			bits |= octets[i + 2];
		for (size_t j = 0; j < 4; j++, ret_text++) {
			*ret_text = '=';
			if (j <= left)
				*ret_text = digits[bits >> (18 - 6 * j) & 63];
		}
	}
	*ret_text = '\0';
}

/* The value of a digit, or -1. */
static int
value_of(char digit)
{
	const char *place = digit != '\0' ? strchr(digits, digit) : NULL;

	return place != NULL ? (int)(place - digits) : -1;
}

/* Decode four digits, of which the last ones may be padding. Returns how many
 * octets they are, or -EBADMSG. */
static int
decode_group(const char *text, uint8_t ret_octets[3])
{
	unsigned bits = 0;
	int count = 0;

	while (count < 4 && value_of(text[count]) >= 0)
		bits = bits << 6 | (unsigned)value_of(text[count++]);
	if (count < 2 || strspn(text + count, "=") < (size_t)(4 - count))
		return -EBADMSG;
	bits <<= 6 * (4 - count);
	/* Unused bits must be zero: each value has one encoding only. */
	if (count < 4 && (bits & (0xffffffU >> (8 * (count - 1)))) != 0)
		return -EBADMSG;
	ret_octets[0] = (uint8_t)(bits >> 16);
	ret_octets[1] = (uint8_t)(bits >> 8);
	ret_octets[2] = (uint8_t)bits;
	return count - 1;
}

ssize_t
base64_decode(const char *text, void *ret_data, size_t size)
{
	size_t length = strlen(text), used = 0;
	uint8_t *octets = ret_data, group[3];

	if (length % 4 != 0)
		return -EBADMSG;
	for (size_t i = 0; i < length; i += 4) {
		int count = decode_group(text + i, group);

		if (count < 0 || (count < 3 && i + 4 < length) ||
		    (size_t)count > size - used)
			return -EBADMSG;
		memcpy(octets + used, group, (size_t)count);
		used += (size_t)count;
	}
	return (ssize_t)used;
}
