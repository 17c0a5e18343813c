/* SPDX-License-Identifier: ISC */

#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The octets of the well-formed UTF-8 sequence at the start of a text (RFC 3629
 * section 4), or 0 if there is none. ASCII does not count: whoever asks has a
 * rule of its own for it. The text ends in a NUL.
 */
size_t utf8_length(const char *text);

/* Whether there is an octet outside ASCII among so many. */
bool has_high_octet(const char *text, size_t length);

#endif
