/* SPDX-License-Identifier: ISC */

/*
 * canonical.c - the canonical form of messages for DKIM, with the examples of
 * RFC 6376, however the text is split.
 */

#include "config.h"

#include "smtp-deliver/content/canonical.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* clang-format off */
static const struct { const char *text, *expected; } bodies[] = {
	/* RFC 6376 section 3.4.5 */
	{ " C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n" },
	/* the empty body, section 3.4.4 */
	{ "", "" },
	{ "\r\n", "" },
	{ "\r\n\r\n\r\n", "" },
	{ " \t\r\n\r\n", "" },
	{ " ", "" },
	/* the end of the body */
	{ "a", "a\r\n" },
	{ "a\r\n", "a\r\n" },
	{ "a \t", "a\r\n" },
	{ "a\r\n \r\n\t", "a\r\n" },
	{ "a\r\n\r\n\r\nb\r\n\r\n", "a\r\n\r\n\r\nb\r\n" },
	{ "\r\n\r\na\r\n", "\r\n\r\na\r\n" },
	/* white space */
	{ "\ta  b\t \tc \r\n", " a b c\r\n" },
	{ "a\r\n  \r\nb\r\n", "a\r\n\r\nb\r\n" },
	{ " \r\n x\r\n", "\r\n x\r\n" },
	/* octets that do not end a line */
	{ "a\rb\r\n", "a\rb\r\n" },
	{ "a\nb\r\n", "a\nb\r\n" },
	{ "a\r\r\n", "a\r\r\n" },
	{ "a\r", "a\r\r\n" },
	{ "a \rb\r\n", "a \rb\r\n" },
	{ ".\r\n..\r\n", ".\r\n..\r\n" },
	{ "\xc3\xbc \xff\r\n", "\xc3\xbc \xff\r\n" },
};

static const struct { const char *text, *expected; } fields[] = {
	/* RFC 6376 section 3.4.5 */
	{ "A: X\r\n", "a:X" },
	{ "B : Y\t\r\n\tZ  \r\n", "b:Y Z" },
	{ "Subject: a test", "subject:a test" },
	{ "SUBJECT:\ta\t test \r\n", "subject:a test" },
	{ "Subject \t: a\r\n", "subject:a" },
	{ "To: a,\r\n b,\r\n\t c\r\n", "to:a, b, c" },
	{ "To:\r\n a\r\n", "to:a" },
	{ "To: a\r\n \r\n", "to:a" },
	{ "X:\r\n", "x:" },
	{ "X: \r\n", "x:" },
	{ "X: A: B \r\n", "x:A: B" },
	{ "X: a\rb\nc\r\n", "x:a\rb\nc" },
	{ "X: \xc3\x9c\r\n", "x:\xc3\x9c" },
};
/* clang-format on */

#define OUT_SIZE 65536

struct out {
	char text[OUT_SIZE];
	size_t used;
};

static void
take(void *context, const void *data, size_t size)
{
	struct out *out = context;

	need(size < sizeof(out->text) - out->used);
	memcpy(out->text + out->used, data, size);
	out->used += size;
	out->text[out->used] = '\0';
}

static const char *
pass(bool is_body, const char *text, size_t piece)
{
	static struct out out;
	struct canonical canonical;
	size_t length = strlen(text);

	out.used = 0;
	out.text[0] = '\0';
	canonical_start(&canonical, take, &out);
	for (size_t i = 0; i < length; i += piece)
		(is_body ? canonical_add_body : canonical_add_field)(&canonical,
		    text + i, length - i < piece ? length - i : piece);
	(is_body ? canonical_end_body : canonical_end_field)(&canonical);
	return out.text;
}

static void
test_tables(void)
{
	for (size_t i = 0; i < COUNT(bodies); i++)
		for (size_t piece = 1; piece <= 100; piece += 33)
			is_str(pass(true, bodies[i].text, piece),
			    bodies[i].expected, "body \"%s\" in pieces of %zu",
			    bodies[i].text, piece);
	for (size_t i = 0; i < COUNT(fields); i++)
		for (size_t piece = 1; piece <= 100; piece += 33)
			is_str(pass(false, fields[i].text, piece),
			    fields[i].expected, "field \"%s\" in pieces of %zu",
			    fields[i].text, piece);
}

/* Texts that are longer than the buffer. */
static void
test_long(void)
{
	static char text[3 * CANONICAL_BUFFER_SIZE + 3];
	static char lines[8 * CANONICAL_BUFFER_SIZE + 2];

	memset(text, 'x', sizeof(text) - 3);
	memcpy(text + sizeof(text) - 3, "\r\n", 3);
	is_str(pass(true, text, 7), text, "a long line");
	for (size_t i = 0; i < sizeof(lines) - 2; i += 2)
		memcpy(lines + i, "\r\n", 2);
	is_str(pass(true, lines, 4096), "", "many empty lines");
	lines[sizeof(lines) - 2] = 'x';
	ok(strlen(pass(true, lines, 4096)) == sizeof(lines) + 1,
	    "many empty lines before one that is not");
}

int
main(void)
{
	test_tables();
	test_long();
	return done_testing();
}
