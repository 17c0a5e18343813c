/* SPDX-License-Identifier: ISC */

/*
 * text.c - what is printable of a text from others, and what is shown in place
 * of the rest.
 */

#include "config.h"

#include "lib/text.h"
#include "t/unit/tap.h"

static const struct {
	const char *text, *shown;
} rows[] = {
	{ "", "" },
	{ "550 5.1.1 no such user <~>", "550 5.1.1 no such user <~>" },
	{ "J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x93\xa7",
	    "J\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x93\xa7" },
	/* C0, delete and C1 */
	{ "a\tb\r\nc\x1b[31m\x7f", "a?b??c?[31m?" },
	{ "a\xc2\x80"
	  "b\xc2\x9b"
	  "31m\xc2\x9f",
	    "a?b?31m?" },
	{ "\xc2\xa0|", "\xc2\xa0|" },
	/* format: soft hyphen, zero width, joiners, byte order mark, tags */
	{ "a\xc2\xad"
	  "b\xe2\x80\x8b"
	  "c\xe2\x80\x8d"
	  "d\xef\xbb\xbf"
	  "e",
	    "a?b?c?d?e" },
	{ "\xf3\xa0\x80\x81\xf3\xa0\x81\xbf.", "??." },
	/* marks, embeddings, overrides and isolates of direction */
	{ "\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f", "???" },
	{ "\xe2\x80\xaa\xe2\x80\xae"
	  "exe.txt\xe2\x80\xac\xe2\x80\xac",
	    "??exe.txt??" },
	{ "\xe2\x81\xa6\xe2\x81\xa9|", "??|" },
	/* line and paragraph separators */
	{ "a\xe2\x80\xa8"
	  "b\xe2\x80\xa9"
	  "c",
	    "a?b?c" },
	{ "\xe2\x80\xa7\xe2\x80\xaf", "\xe2\x80\xa7\xe2\x80\xaf" },
	/* not UTF-8: single octets, overlong forms, surrogates, ends missing */
	{ "a\xff"
	  "b\x80"
	  "c\xfc"
	  "d",
	    "a?b?c?d" },
	{ "\xc0\xaf\xe0\x80\xaf", "?????" },
	{ "\xed\xa0\x80", "???" },
	{ "\xe2\x82", "??" },
	{ "\xe2\x82|", "??|" },
};

static void
is_shown(const char *text, const char *shown)
{
	char buffer[64];

	(void)snprintf(buffer, sizeof(buffer), "%s", text);
	text_make_printable(buffer);
	is_str(buffer, shown, "shown: %s", text);
	text_make_printable(buffer);
	is_str(buffer, shown, "shown again: %s", text);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_shown(rows[i].text, rows[i].shown);
	return done_testing();
}
