/* SPDX-License-Identifier: ISC */

/*
 * rules.c - the first rule that matches determines the destination; an error
 * names the line.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>

#include "smtp-deliver/route/rules.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define PIN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define COLONS \
	"01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF"
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

/* clang-format off */

static const char file[] =
	"# who			where\n"
	"\n"
	"to bob@example.org	via mx\n"
	"to example.org		via [Mail.Example.Org]:587 tls verify # ours\n"
	"to .example.org	via mail.example.org [backup.example]:465\r\n"
	"from Ops@host.internal	via [192.0.2.1] tls none\n"
	"from .internal		via [mail.example.org]:587	tls  verify\n"
	"from <>		via MX TLS Dane\n"
	"to b\xc3\xbc" "cher.example	via mx tls sts\n"
	"to [192.0.2.9]		via other.example tls sts\n"
	"to \"a b\"@c.example	via [quoted.example]\n"
	"to may.example	via mx tls may\n"
	"to encrypt.example	via next.example tls ENCRYPT\n"
	"to pinned.example	via [192.0.2.1]:465 tls fingerprint sha256:" COLONS "  SHA256:" PIN "\n"
	"  All Via [rest.example],[next.example]";

/* The sender, the recipient, the line of the rule that matches, the
 * destination. */
static const struct { const char *sender, *recipient; unsigned line; const char *destination; } ways[] = {
	{ "a@b.example", "bob@example.org", 3, "example.org" },
	{ "a@b.example", "BOB@example.org", 3, "example.org" },
	{ "a@b.example", "bobby@example.org", 4, "via [mail.example.org]:587 tls verify" },
	{ "a@b.example", "bob@a.example.org", 5, "via mail.example.org [backup.example]:465" },
	{ "a@b.example", "bob@a.b.example.org", 5, "via mail.example.org [backup.example]:465" },
	{ "a@b.example", "bob@anexample.org", 15, "via [rest.example] [next.example]" },
	{ "ops@host.internal", "bob@example.net", 6, "via [192.0.2.1] tls none" },
	{ "ops@host.internal", "bob@example.org", 3, "example.org" },
	{ "dev@host.internal", "bob@example.net", 7, "via [mail.example.org]:587 tls verify" },
	{ "dev@internal", "bob@example.net", 15, "via [rest.example] [next.example]" },
	{ "", "bob@example.net", 8, "example.net tls dane" },
	{ NULL, "bob@example.net", 15, "via [rest.example] [next.example]" },
	{ NULL, "bob@example.org", 3, "example.org" },
	{ "a@b.example", "a@b\xc3\xbc" "cher.example", 9, "b\xc3\xbc" "cher.example tls sts" },
	{ "a@b.example", "a@xn--bcher-kva.example", 9, "xn--bcher-kva.example tls sts" },
	{ "a@b.example", "a@[192.0.2.9]", 10, "via other.example tls sts" },
	{ "a@b.example", "\"a b\"@c.example", 11, "via [quoted.example]" },
	{ "a@b.example", "a@may.example", 12, "may.example tls may" },
	{ "a@b.example", "a@encrypt.example", 13, "via next.example tls encrypt" },
	{ "a@b.example", "a@pinned.example", 14, "via [192.0.2.1]:465 tls fingerprint SHA256:" PIN " SHA256:" PIN },
	{ "", "a@tls", 8, "tls tls dane" },
	{ "", "a@via", 8, "via tls dane" },
	{ "a@b.example", "postmaster", 15, "via [rest.example] [next.example]" },
};

/* A line, and its error. */
static const struct { const char *line, *found; } mistakes[] = {
	{ "too example.org via mx", "\"too\"; expected \"to PATTERN" },
	{ "example.org", "\"example.org\"; expected" },
	{ "to", "\"\" after \"to\"; expected a domain" },
	{ "to # nobody", "\"\" after \"to\"" },
	{ "to @example.org via mx", "\"@example.org\" after" },
	{ "to a@@b via mx", "\"a@@b\" after" },
	{ "to <> via mx", "\"<>\" after \"to\"" },
	{ "to ..a via mx", "\"..a\" after" },
	{ "to .[192.0.2.1] via mx", "\".[192.0.2.1]\" after" },
	{ "to *.example.org via mx", "\"*.example.org\" after" },
	{ "from a..b via mx", "or <> for notices" },
	{ "to " X100 X100 X100 " via mx", "after \"to\"" },
	{ "all", "\"\" in place of \"via\"" },
	{ "all mx", "\"mx\" in place of \"via\"" },
	{ "all via", "\"\"; expected up to 8 of" },
	{ "all via a.example:smtp", "\"a.example:smtp\"; expected up to 8 of" },
	{ "all via 192.0.2.1", "\"192.0.2.1\"; expected" },
	{ "all via a,b,c,d,e,f,g,h,i", "\"i\"; expected up to 8" },
	{ "all via mx a.example", "\"mx\" among relays" },
	{ "all via mx tls", "tls \"\"; expected dane, sts, verify, fingerprint, encrypt, may or none" },
	{ "all via mx tls maybe", "tls \"maybe\"; expected" },
	{ "all via mx tls may none", "and nothing after it" },
	{ "all via mx tls fingerprint", "tls fingerprint \"\"; expected up to 2 of SHA256: with 64" },
	{ "all via mx tls fingerprint " PIN, "tls fingerprint \"" PIN "\"" },
	{ "all via mx tls fingerprint SHA256:" PIN "0", "expected up to 2" },
	{ "all via mx tls fingerprint SHA256:0", "expected up to 2" },
	{ "all via mx tls fingerprint SHA1:" PIN, "expected up to 2" },
	{ "all via mx tls fingerprint SHA256:" PIN " SHA256:" PIN " SHA256:" PIN, "expected up to 2" },
	{ "all via mx tls dan", "tls \"dan\"; expected" },
	{ "all via mx tls dane or none", "tls \"dane or none\"; expected" },
	{ "all via mx tls dane tls none", "and nothing after it" },
	{ "all via mx tls none", "tls none with mx; expected it for relays that are hosts" },
	{ "all via a.example tls none", "tls none with \"a.example\"; expected it for relays that are hosts, such as [a.example]" },
	{ "all via [b.example] a.example tls none", "tls none with \"a.example\"" },
	{ "all via [a.example]:465 tls none", "tls none with port 465" },
	{ "all via [a.example] tls sts", "tls sts with a host" },
	{ "all via a.example b.example tls sts", "tls sts with several relays" },
	{ "all via [192.0.2.1] tls dane", "tls dane with [192.0.2.1]" },
	{ "all via m\x01x", "a control character" },
	{ "# " X100 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100, "1102 octets; expected 1024" },
};

/* Two rules, and whether the second one can never match. */
static const struct { const char *first, *second; bool is_shadowed; } pairs[] = {
	{ "all", "to a.example", true },
	{ "all", "from <>", true },
	{ "all", "all", true },
	{ "to a.example", "to a.example", true },
	{ "to a.example", "to A.Example", true },
	{ "to a.example", "to bob@a.example", true },
	{ "to .example", "to bob@a.example", true },
	{ "to .example", "to a.example", true },
	{ "to .example", "to .b.example", true },
	{ "from bob@a.example", "from Bob@a.example", true },
	{ "to a.example", "from a.example", false },
	{ "to a.example", "to .a.example", false },
	{ "to .a.example", "to a.example", false },
	{ "to bob@a.example", "to a.example", false },
	{ "to a.example", "all", false },
	{ "to .b.example", "to .example", false },
};
/* clang-format on */

/* The number of findings, and the last one. */
struct findings {
	unsigned count;
	unsigned line;
	bool is_mistake;
	char text[RULES_TEXT_SIZE];
};

static void
note(void *context, unsigned line, bool is_mistake, const char *text)
{
	struct findings *findings = context;

	findings->count++;
	findings->line = line;
	findings->is_mistake = is_mistake;
	(void)strlcpy(findings->text, text, sizeof(findings->text));
}

static struct rules *
read_text(const char *relayhost, const char *text, size_t length,
    struct findings *findings, int *ret_result)
{
	struct rules *rules;
	char error[NEXTHOP_ERROR_SIZE];
	FILE *stream = tmpfile();

	*findings = (struct findings){ .count = 0 };
	need(stream != NULL && fwrite(text, 1, length, stream) == length);
	rewind(stream);
	need(rules_open(relayhost, &rules, error) == 0);
	*ret_result = rules_read(rules, stream, note, findings);
	need(fclose(stream) == 0);
	return rules;
}

static void
first_match_counts(void)
{
	struct findings findings;
	int r;
	struct rules *rules =
	    read_text(NULL, file, strlen(file), &findings, &r);
	char name[NEXTHOP_SIZE], again[NEXTHOP_SIZE];
	struct nexthop nexthop;

	is_int(r, 0, "the file is valid");
	is_int(findings.count, 0, "without findings");
	is_int((int64_t)rules_count(rules), 13, "all of its rules are read");
	for (size_t i = 0; i < COUNT(ways); i++) {
		const struct rule *rule =
		    rules_find(rules, ways[i].sender, ways[i].recipient);

		is_int(rule->line, ways[i].line, "rule for %s",
		    ways[i].recipient);
		rules_name_destination(rule, ways[i].recipient, name);
		is_str(name, ways[i].destination, "leads to %s",
		    ways[i].destination);
		is_int(nexthop_parse_name(name, &nexthop), 0,
		    "which can be parsed");
		nexthop_format(&nexthop, again);
		is_str(again, name, "and formatted again unchanged");
	}
	rules_close(rules);
}

static void
mistakes_are_named(void)
{
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		char text[2048];
		struct findings findings;
		int r,
		    length = snprintf(text, sizeof(text), "\n%s\nall via mx\n",
			mistakes[i].line);

		rules_close(
		    read_text(NULL, text, (size_t)length, &findings, &r));
		is_int(r, -EINVAL, "row %zu is refused", i);
		is_int(findings.count, 1, "with one error");
		is_int(findings.line, 2, "which names the line");
		ok(strstr(findings.text, mistakes[i].found) != NULL, "%s",
		    findings.text);
	}
}

static void
empty_file_has_no_rules(void)
{
	struct findings findings;
	int r;
	struct rules *rules = read_text(NULL, "# none\n\n", 8, &findings, &r);

	is_int(r, 0, "a file without rules is valid");
	is_int((int64_t)rules_count(rules), 0, "it has no rules");
	is_int(rules_find(rules, "", "x@a.example")->line, 0,
	    "and all mail takes the default route");
	rules_close(rules);
}

static void
all_mistakes_are_reported(void)
{
	static const char text[] = "to a\nto b via mx\nnowhere\n\0all via mx";
	struct findings findings;
	int r;

	rules_close(read_text(NULL, text, sizeof(text) - 1, &findings, &r));
	is_int(r, -EINVAL, "a file with three mistakes is refused");
	is_int(findings.count, 3, "all of them are reported");
	is_int(findings.line, 4, "with the line of the last one");
	is_str(findings.text, "a control character; expected text and blanks",
	    "which is a NUL");
}

static void
shadowed_rules_are_reported(void)
{
	for (size_t i = 0; i < COUNT(pairs); i++) {
		char text[256];
		struct findings findings;
		int r,
		    length = snprintf(text, sizeof(text),
			"%s via mx\n%s via [a.example]\n", pairs[i].first,
			pairs[i].second);

		rules_close(
		    read_text(NULL, text, (size_t)length, &findings, &r));
		is_int(r, 0, "\"%s\" after \"%s\" is not a mistake",
		    pairs[i].second, pairs[i].first);
		is_int(findings.count, pairs[i].is_shadowed,
		    "but is reported if it can never match");
		is_int(findings.count == 0 || findings.line == 2, true,
		    "with its line");
	}
}

static void
relayhost_is_the_last_rule(void)
{
	static const char text[] = "to a.example via mx\n"
				   "to b.example via [c.example]:465";
	struct findings findings;
	int r;
	struct rules *rules = read_text("[Rest.example]:587 tls verify", text,
	    strlen(text), &findings, &r);
	char error[NEXTHOP_ERROR_SIZE], name[NEXTHOP_SIZE];
	const uint16_t *ports;
	size_t count;

	need(r == 0);
	rules_name_destination(rules_find(rules, "", "x@a.example"),
	    "x@a.example", name);
	is_str(name, "a.example", "a rule comes before SMTP_RELAYHOST");
	rules_name_destination(rules_find(rules, "", "x@d.example"),
	    "x@d.example", name);
	is_str(name, "via [rest.example]:587 tls verify",
	    "which applies to the rest");
	ports = rules_ports(rules, &count);
	is_int((int64_t)count, 3, "three ports are needed");
	is_int(ports[0], 587, "the relay's");
	is_int(ports[1], 0, "that of remote hosts");
	is_int(ports[2], 465, "and another one");
	rules_close(rules);
	is_int(rules_open("a:b", &rules, error), -EINVAL,
	    "an invalid SMTP_RELAYHOST is refused");
	is_str(error,
	    "\"a:b\"; expected up to 8 of NAME, [NAME] or [IP], each with "
	    ":PORT or without, or mx",
	    "and the error quotes it");
}

int
main(void)
{
	first_match_counts();
	mistakes_are_named();
	empty_file_has_no_rules();
	all_mistakes_are_reported();
	shadowed_rules_are_reported();
	relayhost_is_the_last_rule();
	return done_testing();
}
