/* SPDX-License-Identifier: ISC */

/*
 * redact.c - no address of an envelope stays in a text for the journal, in
 * whatever way a host quotes it.
 */

#include "config.h"

#include "smtp-deliver/redact.h"
#include "t/unit/folder.h"
#include "t/unit/tap.h"

#define A "(address)"

/* clang-format off */
static const struct { const char *text, *recipient, *shown; } rows[] = {
	{ "", "you@b.example", "" },
	{ "550 5.1.1 Mailbox is full", "you@b.example",
	    "550 5.1.1 Mailbox is full" },
	{ "550 5.1.1 <you@b.example>: unknown", "you@b.example",
	    "550 5.1.1 <" A ">: unknown" },
	/* in any case, with a source route, in a URI, as a list's sender */
	{ "550 <YOU@B.Example> no", "you@b.example", "550 <" A "> no" },
	{ "550 you@b.example. No.", "You@B.EXAMPLE", "550 " A ". No." },
	{ "550 see https://b.example/?you%40b.example", "you@b.example",
	    "550 see " A },
	{ "550 <bounce-you=b.example@c.example>", "you@b.example",
	    "550 <" A ">" },
	/* in parts */
	{ "550 user you unknown", "you@b.example", "550 user " A " unknown" },
	{ "550 'YOU' in \"you\"", "you@b.example",
	    "550 '" A "' in \"" A "\"" },
	{ "550 <you@b. example>", "you@b.example", "550 <" A " example>" },
	{ "550 <you @b.example>", "you@b.example", "550 <" A " " A ">" },
	{ "550 no you here", "you+list@b.example", "550 no " A " here" },
	{ "550 no you+list", "you+list@b.example", "550 no " A },
	/* but no part of a word */
	{ "550 your message, youth", "you@b.example",
	    "550 your message, youth" },
	{ "550 b\xc3\xbc, b\xc3\xbcro", "b\xc3\xbc@b.example",
	    "550 " A ", b\xc3\xbcro" },
	/* quoted local parts */
	{ "550 <\"a b\"@b.example>", "\"a b\"@b.example", "550 <" A ">" },
	{ "550 a b is unknown", "\"a b\"@b.example", "550 " A " is unknown" },
	{ "550 \"a b\" is unknown", "\"a b\"@b.example",
	    "550 " A " is unknown" },
	/* the sender, and anybody else */
	{ "550 me@a.example is not allowed; Me", "you@b.example",
	    "550 " A " is not allowed; " A },
	{ "550 ask postmaster@c.example", "you@b.example", "550 ask " A },
	{ "550 @", "you@b.example", "550 " A },
};
/* clang-format on */

static void
is_shown(const char *text, const char *recipient, const char *shown)
{
	struct redact redact = { .sender = "me@a.example",
		.recipient = recipient };
	char redacted[REDACT_SIZE];

	is_str(redact_text(&redact, text, redacted), shown, "shown: %s", text);
}

/* A reply that is nothing but local parts grows. */
static void
long_text_is_cut(void)
{
	struct redact redact = { .sender = "", .recipient = "u@b.example" };
	char text[VERDICT_TEXT_SIZE], redacted[REDACT_SIZE];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? 'u' : ' ';
	text[sizeof(text) - 1] = '\0';
	(void)redact_text(&redact, text, redacted);
	is_int((int64_t)strlen(redacted), REDACT_SIZE - 1,
	    "a text that grows too long is cut");
	ok(strchr(redacted, 'u') == NULL, "and has no local part left");
}

static void
tokens_are_shown(void)
{
	struct redact redact = { .sender = "me@a.example",
		.recipient = "you@b.example" };
	char redacted[REDACT_SIZE], expected[REDACT_SIZE];
	char me[TOKEN_SIZE], you[TOKEN_SIZE], other[TOKEN_SIZE];

	need(spool_open(folder_path, &redact.spool) == 0);
	need(spool_token(redact.spool, redact.sender, me) == 0);
	need(spool_token(redact.spool, redact.recipient, you) == 0);
	need(spool_token(redact.spool, "they@c.example", other) == 0);
	(void)snprintf(expected, sizeof(expected), "550 <%s> %s %s %s", you,
	    you, me, other);
	is_str(redact_text(&redact,
		   "550 <You@b.example> YOU me@A.example they@c.example",
		   redacted),
	    expected, "tokens stand for addresses");
	spool_close(redact.spool);
}

static void
debugging_shows_addresses(void)
{
	struct redact redact = { .sender = "", .recipient = "you@b.example" };
	char redacted[REDACT_SIZE];

	ok(redact_text(&redact, NULL, redacted) == NULL, "no text is none");
	audit_open("redact", true);
	is_str(redact_text(&redact, "550 you@b.example", redacted),
	    "550 you@b.example", "debugging shows addresses");
	audit_open("redact", false);
}

int
main(void)
{
	folder_make();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_shown(rows[i].text, rows[i].recipient, rows[i].shown);
	long_text_is_cut();
	tokens_are_shown();
	debugging_shows_addresses();
	return done_testing();
}
