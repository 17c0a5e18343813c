/* SPDX-License-Identifier: ISC */

/*
 * text.c - what can be shown of a text from others, and other small functions
 * for texts. Pure.
 */

#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/text.h"
#include "lib/utf8.h"

/* Characters outside ASCII that terminals and mail programs obey instead of
 * showing them: Unicode's C1 controls and its general categories Cf, Zl and Zp,
 * with the unassigned characters between them. In order. */
static const struct {
	uint32_t first, last;
} unprintable[] = {
	{ 0x80, 0x9f },
	{ 0xad, 0xad },
	{ 0x600, 0x605 },
	{ 0x61c, 0x61c },
	{ 0x6dd, 0x6dd },
	{ 0x70f, 0x70f },
	{ 0x890, 0x891 },
	{ 0x8e2, 0x8e2 },
	{ 0x180e, 0x180e },
	{ 0x200b, 0x200f },
	{ 0x2028, 0x202e },
	{ 0x2060, 0x206f },
	{ 0xfeff, 0xfeff },
	{ 0xfff0, 0xfffb },
	{ 0x110bd, 0x110bd },
	{ 0x110cd, 0x110cd },
	{ 0x13430, 0x1343f },
	{ 0x1bca0, 0x1bca3 },
	{ 0x1d173, 0x1d17a },
	{ 0xe0000, 0xe007f },
};

#define UNPRINTABLE (sizeof(unprintable) / sizeof(unprintable[0]))

static bool
is_unprintable(uint32_t character)
{
	for (size_t i = 0; i < UNPRINTABLE; i++)
		if (character <= unprintable[i].last)
			return character >= unprintable[i].first;
	return false;
}

size_t
text_printable_length(const char *text)
{
	size_t length = utf8_length(text);

	if (length == 0)
		return *text >= ' ' && *text <= '~' ? 1 : 0;
	return is_unprintable(utf8_decode(text, length)) ? 0 : length;
}

size_t
text_character_length(const char *text)
{
	size_t length = utf8_length(text);

	return length > 0 ? length : 1;
}

void
text_make_printable(char *text)
{
	char *end = text;

	while (*text != '\0') {
		size_t length = text_character_length(text);

		if (text_printable_length(text) > 0) {
			memmove(end, text, length);
			end += length;
		} else
			*end++ = '?';
		text += length;
	}
	*end = '\0';
}

const char *
text_or_null(const char *text)
{
	return *text != '\0' ? text : NULL;
}
