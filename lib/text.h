/* SPDX-License-Identifier: ISC */

#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/*
 * Return the length of the printable character at the start of a text that
 * ends in a NUL: 1 for ASCII from the blank to "~", 2 to 4 for well-formed
 * UTF-8. 0 is for all else: control characters (C0 and C1), format and
 * bidirectional characters, line separators, octets that are not UTF-8. Those
 * could end a line, hide text, or show it in another order.
 */
size_t text_printable_length(const char *text);

/* Return the length of the character at the start of a text that is not empty,
 * printable or not; an octet that is not UTF-8 counts as one. */
size_t text_character_length(const char *text);

/* Replace each character that is not printable by "?", in place: what is
 * printed or logged stays one line. The text gets no longer. */
void text_make_printable(char *text);

/* Return the text, or NULL if it is "". */
const char *text_or_null(const char *text);

#endif
