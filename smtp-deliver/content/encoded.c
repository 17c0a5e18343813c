/* SPDX-License-Identifier: ISC */

/*
 * encoded.c - encoded words in display names (RFC 2047 section 2). Pure.
 *
 * Within one, every sign is text. RFC 2047 section 5 forbids some of them in a
 * display name, "," for example, and many programs write them.
 */

#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "smtp-deliver/content/encoded.h"

/* What may follow an encoded word: it does not belong to an address. */
#define ENDS " \t\r\n<(\",;=)"

static bool
is_text(char c)
{
	return c != '?' && (unsigned char)c > ' ' && c != '\x7f';
}

/* The length of the text before the next "?"; 0: there is none, or nothing
 * before it. */
static size_t
find_mark(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length && is_text(text[i]))
		i++;
	return i < length && text[i] == '?' ? i : 0;
}

size_t
encoded_word_length(const char *text, size_t length)
{
	size_t charset, encoded, start, end;

	if (length < 2 || memcmp(text, "=?", 2) != 0 ||
	    (charset = find_mark(text + 2, length - 2)) == 0)
		return 0;
	start = 2 + charset + 3; /* after "?Q?" */
	if (start >= length ||
	    find_mark(text + start - 2, length - start + 2) != 1 ||
	    (encoded = find_mark(text + start, length - start)) == 0)
		return 0;
	end = start + encoded + 2;
	if (end > length || text[end - 1] != '=' ||
	    (end < length && strchr(ENDS, text[end]) == NULL))
		return 0;
	return end;
}
