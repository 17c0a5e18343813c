/* SPDX-License-Identifier: ISC */

/*
 * masquerade.c - senders' addresses are rewritten, in the envelope and in the
 * From and Sender fields; every other octet is unchanged, however the content
 * is read.
 */

#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "smtp-deliver/content/masquerade.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define RULES \
	"boss@my.internal=ceo@example.net .lan=lan.example.org my.internal=example.org old.internal=ops@example.org example.com"

/* clang-format off */

/* An address, and its new form; NULL: unchanged. */
static const struct { const char *old, *new; } addresses[] = {
	{ "root@my.internal", "root@example.org" },
	{ "root@MY.internal", "root@example.org" },
	{ "Boss@my.internal", "ceo@example.net" },
	{ "\"a b@c\"@my.internal", "\"a b@c\"@example.org" },
	{ "root@old.internal", "ops@example.org" },
	{ "root@a.lan", "root@lan.example.org" },
	{ "root@a.b.lan", "root@lan.example.org" },
	{ "root@lan", NULL },
	{ "root@this.host", "root@example.com" },
	{ "root@localhost", "root@example.com" },
	{ "root", "root@example.com" },
	{ "", NULL },
	{ "root@example.org", NULL },
	{ "root@[192.0.2.1]", NULL },
	{ "b\xc3\xbc@my.internal", "b\xc3\xbc@example.org" },
};

/* A message, and what is sent. */
static const struct { const char *old, *new; } messages[] = {
	{ "From: root@my.internal\r\n\r\n", "From: root@example.org\r\n\r\n" },
	{ "From: root@my.internal", "From: root@example.org" },
	{ "from : root (Cron Daemon)\r\n\r\n", "from : root@example.com (Cron Daemon)\r\n\r\n" },
	{ "From: \"a <x@my.internal>\" <root@my.internal>\r\n", "From: \"a <x@my.internal>\" <root@example.org>\r\n" },
	{ "From: =?utf-8?q?x=40my.internal?= < root@my.internal\t> (y@my.internal)\r\n", "From: =?utf-8?q?x=40my.internal?= < root@example.org\t> (y@my.internal)\r\n" },
	{ "From: a b <root@my.internal>,\r\n c@localhost , d@my.internal\r\nTo: x@my.internal\r\n", "From: a b <root@example.org>,\r\n c@example.com , d@example.org\r\nTo: x@my.internal\r\n" },
	{ "From: ops:a@my.internal, B <b@my.internal>;\r\n", "From: ops:a@example.org, B <b@example.org>;\r\n" },
	{ "From:\r\n\t\"x y\"@my.internal\r\n", "From:\r\n\t\"x y\"@example.org\r\n" },
	{ "Sender: root@my.internal\r\nFrom: a@b.c\r\n", "Sender: root@example.org\r\nFrom: a@b.c\r\n" },
	{ "From: b\xc3\xbc <b\xc3\xbc@my.internal>\r\n", "From: b\xc3\xbc <b\xc3\xbc@example.org>\r\n" },
	{ "From: x <\"<>\"@my.internal>\r\n", "From: x <\"<>\"@example.org>\r\n" },
	/* Unchanged. */
	{ "To: root@my.internal\r\n\r\nFrom: root@my.internal\r\n", NULL },
	{ "Reply-To: root@my.internal\r\nX-From: root@my.internal\r\n", NULL },
	{ "From: Cron Daemon\r\n", NULL },
	{ "From: =?utf-8?q?root?=\r\n", NULL },
	{ "From: =?utf-8?q?x,root,y?= <root@my.internal>\r\n", "From: =?utf-8?q?x,root,y?= <root@example.org>\r\n" },
	{ "From: =?utf-8?q?<root>?= =?utf-8?q?;root;(?= <root@my.internal>\r\n", "From: =?utf-8?q?<root>?= =?utf-8?q?;root;(?= <root@example.org>\r\n" },
	{ "From: root @ my.internal\r\n", NULL },
	{ "From: <@a.b:root@my.internal>\r\n", NULL },
	{ "From: x <root@my.internal\r\n", NULL },
	{ "From: x (root@my.internal\r\n", NULL },
	{ "From: \"x root@my.internal\r\n", NULL },
	{ "From: root@my.\r\n internal\r\n", NULL },
	{ "From: \xff@my.internal\r\n", NULL },
	{ "From: ;:,<>\r\n", NULL },
	{ "From:", NULL },
	{ "\r\nFrom: root@my.internal\r\n", NULL },
	{ "", NULL },
};

static const struct { const char *text, *shown; } errors[] = {
	{ "a b=", "\"b=\"; expected" },
	{ "=a", "\"=a\"; expected" },
	{ "a=b=c", "\"a=b=c\"; expected" },
	{ "a@b=.c", "\"a@b=.c\"; expected" },
	{ "a@b@c", "\"a@b@c\"; expected" },
	{ "a=[192.0.2.1]", "expected" },
	{ "a=b\xc3\xbc", "NEW in ASCII" },
	{ "a\nb", "\"a?b\"; expected" },
};
/* clang-format on */

static struct masquerade masquerade;

static void
addresses_are_rewritten(void)
{
	for (size_t i = 0; i < COUNT(addresses); i++) {
		const char *new = addresses[i].new;
		char text[ADDRESS_SIZE] = "";

		is_int(masquerade_address(&masquerade, addresses[i].old, text),
		    new != NULL, "%s is %s", addresses[i].old,
		    new != NULL ? "rewritten" : "unchanged");
		if (new != NULL)
			is_str(text, new, "as %s", new);
	}
}

/* Read a message in pieces of the given size. */
static void
read_message(const struct content *content, size_t piece, char *ret_text)
{
	uint64_t position = 0;
	ssize_t n;

	while ((n = content_read(content, position, ret_text + position,
		    piece)) > 0)
		position += (uint64_t)n;
	need(n == 0);
	ret_text[position] = '\0';
	is_int((int64_t)content_size_bytes(content), (int64_t)position,
	    "its size is known");
}

static void
only_addresses_are_rewritten(void)
{
	static const size_t pieces[] = { 1, 3, 4096 };

	for (size_t i = 0; i < COUNT(messages); i++) {
		const char *old = messages[i].old;
		const char *new =
		    messages[i].new != NULL ? messages[i].new : old;
		FILE *file = tmpfile();
		struct message message = {
			.content_offset = 2,
			.content_size_bytes = strlen(old),
		};
		struct content content = { .message = &message };
		char text[1024];

		need(file != NULL && fprintf(file, "xx%syy", old) > 0 &&
		    fflush(file) == 0);
		message.fd = fileno(file);
		is_int(masquerade_content(&masquerade, &content), 0,
		    "message %zu is read", i);
		for (size_t j = 0; j < COUNT(pieces); j++) {
			read_message(&content, pieces[j], text);
			is_str(text, new, "and sent as expected");
		}
		need(fclose(file) == 0);
	}
}

static void
mistakes_are_named(void)
{
	struct masquerade other;
	char error[MASQUERADE_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(errors); i++) {
		is_int(masquerade_parse(errors[i].text, "h", &other, error),
		    -EINVAL, "row %zu is refused", i);
		ok(strstr(error, errors[i].shown) != NULL, "%s", error);
	}
	is_int(masquerade_parse(NULL, "h", &other, error), 0,
	    "an unset variable is valid");
	is_int((int64_t)other.count, 0, "and has no rules");
}

int
main(void)
{
	char error[MASQUERADE_ERROR_SIZE];

	need(masquerade_parse(RULES, "this.host", &masquerade, error) == 0);
	addresses_are_rewritten();
	only_addresses_are_rewritten();
	mistakes_are_named();
	return done_testing();
}
