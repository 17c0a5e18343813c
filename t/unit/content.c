/* SPDX-License-Identifier: ISC */

/*
 * content.c - where a message has octets outside ASCII.
 */

#include "config.h"

#include <stdio.h>

#include "smtp-deliver/content/content.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define U "\xc3\xbc"

/* clang-format off */
static const struct { const char *text; bool in_header, in_body; } messages[] = {
	{ "", false, false },
	{ "Subject: a\r\n\r\nb\r\n", false, false },
	{ "Subject: " U "\r\n\r\nb\r\n", true, false },
	{ "Subject: a\r\n " U "\r\n\r\nb\r\n", true, false },
	{ "Subject: a\r\n\r\n" U "\r\n", false, true },
	{ "Subject: " U "\r\n\r\n" U "\r\n", true, true },
	{ "Subject: " U, true, false },
	{ "\r\n" U, false, true },
	{ "Subject: a\r\n\r\n--b\r\nContent-Description: " U "\r\n", false, true },
	/* A line that is no field ends the header. */
	{ "Subject: a\r\n" U " b\r\n", false, true },
	{ "Subject: a\r\nb " U "\r\n\r\n", false, true },
	{ U ": a\r\n\r\n", false, true },
	{ "Subject: a\r\n\r\n" X100 X100 X100 X100 U, false, true },
};
/* clang-format on */

int
main(void)
{
	for (size_t i = 0; i < COUNT(messages); i++) {
		const char *text = messages[i].text;
		FILE *file = tmpfile();
		struct message message = { .content_size_bytes = strlen(text) };
		const struct content content = { .message = &message };
		struct content_octets octets;

		need(file != NULL && fputs(text, file) != EOF &&
		    fflush(file) == 0);
		message.fd = fileno(file);
		content_find_octets(&content, &octets);
		is_int(octets.in_header, messages[i].in_header,
		    "message %zu: the header", i + 1);
		is_int(octets.in_body, messages[i].in_body, "and the body");
		need(fclose(file) == 0);
	}
	return done_testing();
}
