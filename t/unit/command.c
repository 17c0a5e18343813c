/* SPDX-License-Identifier: ISC */

/*
 * command.c - the arguments of commands, as RFC 5321 section 4.1.1 and the RFCs
 * of the extensions define them.
 */

#include "config.h"

#include "smtp-session/command.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X250 X50 X50 X50 X50 X50

/* clang-format off */
static const struct { const char *line, *verb, *argument; } splits[] = {
	{ "", "", "" },
	{ "NOOP", "NOOP", "" },
	{ "noop", "noop", "" },
	{ "NOOP ", "NOOP", "" },
	{ "NOOP   ", "NOOP", "" },
	{ "NOOP x", "NOOP", "x" },
	{ "NOOP   x  y  ", "NOOP", "x  y" },
	{ "NOOP\t", "NOOP", "" },
	{ "NOOP \t\v\f ", "NOOP", "" },
	{ "NOOP x\t ", "NOOP", "x" },
	{ "\t", "", "" },
	{ " NOOP", "", "NOOP" },
	{ "   ", "", "" },
	{ "NOOP\tx", "NOOP\tx", "" },
	{ "MAIL FROM:<a@b> SIZE=1", "MAIL", "FROM:<a@b> SIZE=1" },
};

static const struct {
	const char *argument;
	enum command_result result;
	const char *sender;
	uint64_t size_bytes;
	bool is_8bitmime, is_smtputf8, is_requiretls;
} mails[] = {
	{ "FROM:<a@b>", 0, "a@b", 0, false, false },
	{ "from:<a@b>", 0, "a@b", 0, false, false },
	{ "From:<a@b>", 0, "a@b", 0, false, false },
	{ "FROM: <a@b>", 0, "a@b", 0, false, false },
	{ "FROM:<>", 0, "", 0, false, false },
	{ "FROM:<@one:a@b>", 0, "a@b", 0, false, false },
	{ "FROM:<a@b> SIZE=1000", 0, "a@b", 1000, false, false },
	{ "FROM:<a@b> SIZE=0", 0, "a@b", 0, false, false },
	{ "FROM:<a@b> SIZE=10485760", 0, "a@b", 10485760, false, false },
	{ "FROM:<a@b> SIZE=999999999999999999", 0, "a@b", 999999999999999999, false, false },
	{ "FROM:<a@b> BODY=8BITMIME", 0, "a@b", 0, true, false },
	{ "FROM:<a@b> BODY=7BIT", 0, "a@b", 0, false, false },
	{ "FROM:<a@b> SMTPUTF8", 0, "a@b", 0, false, true },
	{ "FROM:<\xc3\xbc@b> SMTPUTF8", 0, "\xc3\xbc@b", 0, false, true },
	{ "FROM:<a@b> RET=HDRS ENVID=QQ+2B314159", 0, "a@b", 0, false, false },
	{ "FROM:<a@b> envid=x ret=full SIZE=1", 0, "a@b", 1, false, false },
	{ "FROM:<a@b> size=1 body=8bitmime smtputf8", 0, "a@b", 1, true, true },
	{ "FROM:<a@b>  SMTPUTF8   SIZE=1", 0, "a@b", 1, false, true },
	{ "FROM:<a@b> REQUIRETLS", 0, "a@b", 0, false, false, true },
	{ "FROM:<> body=8bitmime requiretls RET=FULL", 0, "", 0, true, false, true },
	{ "FROM:<\"a b\"@c> SIZE=1", 0, "\"a b\"@c", 1, false, false },

	{ "", COMMAND_BAD_ARGUMENT },
	{ "<a@b>", COMMAND_BAD_ARGUMENT },
	{ "FROM", COMMAND_BAD_ARGUMENT },
	{ "FROM <a@b>", COMMAND_BAD_ARGUMENT },
	{ "FROM :<a@b>", COMMAND_BAD_ARGUMENT },
	{ "TO:<a@b>", COMMAND_BAD_ARGUMENT },
	{ "FROM:<a@b>x", COMMAND_BAD_ARGUMENT },
	{ "FROM:<a@b>SIZE=1", COMMAND_BAD_ARGUMENT },
	{ "FROM:<a@b>\tSIZE=1", COMMAND_BAD_ARGUMENT },
	{ "FROM:", COMMAND_BAD_PATH },
	{ "FROM:a@b", COMMAND_BAD_PATH },
	{ "FROM:<a>", 0, "a", 0, false, false },
	{ "FROM:<postmaster> SIZE=1", 0, "postmaster", 1, false, false },
	{ "FROM:<a b>", COMMAND_BAD_PATH },
	{ "FROM:<a@b", COMMAND_BAD_PATH },
	{ "FROM:<" X250 "xx@b>", 0, X250 "xx@b", 0, false, false },
	{ "FROM:<" X250 "xx@bb>", COMMAND_LONG_PATH },
	{ "FROM:<\xc3\xbc@b>", COMMAND_NEEDS_SMTPUTF8 },
	{ "FROM:<a@b> FOO", COMMAND_UNKNOWN_PARAMETER },
	{ "FROM:<a@b> FOO=1", COMMAND_UNKNOWN_PARAMETER },
	{ "FROM:<a@b> AUTH=<>", 0, "a@b", 0, false, false },
	{ "FROM:<a@b> AUTH=", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> RET=ALL", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> RET", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> RET=FULL RET=FULL", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> ENVID=", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> ENVID", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> ENVID=a=b", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> ENVID=a ENVID=a", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> REQUIRETLS=", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> REQUIRETLS=yes", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> REQUIRETLS REQUIRETLS", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> NOTIFY=NEVER", COMMAND_UNKNOWN_PARAMETER },
	{ "FROM:<a@b> =1", COMMAND_UNKNOWN_PARAMETER },
	{ "FROM:<a@b> SIZE=1 FOO", COMMAND_UNKNOWN_PARAMETER },
	{ "FROM:<a@b> SIZE", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> SIZE=", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> SIZE=-1", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> SIZE=+1", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> SIZE=1k", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> SIZE=0x10", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> SIZE=123456789012345678901", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> BODY", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> BODY=", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> BODY=BINARYMIME", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> SMTPUTF8=", COMMAND_BAD_PARAMETER },
	{ "FROM:<a@b> SMTPUTF8=1", COMMAND_BAD_PARAMETER },
};

static const struct {
	const char *argument;
	bool is_smtputf8;
	enum command_result result;
	const char *recipient;
} rcpts[] = {
	{ "TO:<a@b>", false, 0, "a@b" },
	{ "to:<a@B>", false, 0, "a@b" },
	{ "TO: <a@b>", false, 0, "a@b" },
	{ "TO:<postmaster>", false, 0, "postmaster" },
	{ "TO:<Postmaster>", false, 0, "postmaster" },
	{ "TO:<@one,@two:a@b>", false, 0, "a@b" },
	{ "TO:<\"a b\"@[192.0.2.1]>", false, 0, "\"a b\"@[192.0.2.1]" },
	{ "TO:<\xc3\xbc@b>", true, 0, "\xc3\xbc@b" },
	{ "TO:<\xc3\xbc@b>", false, COMMAND_NEEDS_SMTPUTF8, NULL },
	{ "TO:<>", false, COMMAND_BAD_PATH, NULL },
	{ "TO:<a>", false, 0, "a" },
	{ "TO:<@one:a>", false, 0, "a" },
	{ "TO:<a@>", false, COMMAND_BAD_PATH, NULL },
	{ "TO:<a@b", false, COMMAND_BAD_PATH, NULL },
	{ "TO:", false, COMMAND_BAD_PATH, NULL },
	{ "TO:<" X250 X10 "@b>", false, COMMAND_LONG_PATH, NULL },
	{ "", false, COMMAND_BAD_ARGUMENT, NULL },
	{ "<a@b>", false, COMMAND_BAD_ARGUMENT, NULL },
	{ "FROM:<a@b>", false, COMMAND_BAD_ARGUMENT, NULL },
	{ "TO:<a@b>,<c@d>", false, COMMAND_BAD_ARGUMENT, NULL },
	{ "TO:<a@b> NOTIFY=NEVER", false, 0, "a@b" },
	{ "TO:<a@b> notify=success,DELAY,FAILURE ORCPT=rfc822;a+2Bb@c", false, 0,
	    "a@b" },
	{ "TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", false, COMMAND_BAD_PARAMETER, NULL },
	{ "TO:<a@b> ORCPT=rfc822;a ORCPT=rfc822;b", false, 0, "a@b" },
	{ "TO:<a@b> NOTIFY", false, COMMAND_BAD_PARAMETER, NULL },
	{ "TO:<a@b> ORCPT", false, 0, "a@b" },
	{ "TO:<a@b> ORCPT=a", false, 0, "a@b" },
	{ "TO:<a@b> ORCPT=rfc822;a=b", false, 0, "a@b" },
	{ "TO:<a@b> RET=FULL", false, COMMAND_UNKNOWN_PARAMETER, NULL },
	{ "TO:<a@b> ORCPT=utf-8;\xc3\xbc@b", true, 0, "a@b" },
	{ "TO:<a@b> ORCPT=utf-8;\xc3\xbc@b", false, 0, "a@b" },
	{ "TO:<a@b> SIZE=1", false, COMMAND_UNKNOWN_PARAMETER, NULL },
};

/* A name, and how Received shows it; NULL: refused. */
static const struct { const char *argument, *name; } names[] = {
	{ "localhost", "localhost" },
	{ "mail.example.org", "mail.example.org" },
	{ "[127.0.0.1]", "[127.0.0.1]" },
	{ "[IPv6:::1]", "[IPv6:::1]" },
	{ "[IPv6:fe80::1%eth0]", "[IPv6:fe80::1?eth0]" },
	{ "my_host", "my_host" },
	{ "localhost.localdomain.", "localhost.localdomain." },
	{ "*.example.com", "?.example.com" },
	{ "bob's-laptop", "bob?s-laptop" },
	{ "two words", "two?words" },
	{ "a(b)", "a?b?" },
	{ "<a>", "?a?" },
	{ "a;b", "a?b" },
	{ "a\"b\\", "a?b?" },
	{ "b\xc3\xbc" "cher.example", "b?cher.example" },
	{ "\xf0\x9f\x92\xbb", "?" },
	{ "b\xfc" "cher", "b?cher" },
	{ "", NULL },
	{ "a\tb", NULL },
	{ "a\x01", NULL },
	{ "a\x7f", NULL },
	{ "a\xc2\x9b" "b", NULL },
	{ "a\xc2\xa0" "b", "a?b" },
	{ X250 "xxxxx", X250 "xxxxx" },
	{ X250 "xxxxxx", NULL },
};
/* clang-format on */

static char *
copy_of(const char *text)
{
	char *copy = strdup(text);

	need(copy != NULL);
	return copy;
}

static void
check_splits(void)
{
	for (size_t i = 0; i < COUNT(splits); i++) {
		char *line = copy_of(splits[i].line), *argument;
		const char *verb;

		command_split(line, &verb, &argument);
		is_str(verb, splits[i].verb, "verb of \"%s\"", splits[i].line);
		is_str(argument, splits[i].argument, "argument of \"%s\"",
		    splits[i].line);
		free(line);
	}
}

static void
check_mails(void)
{
	for (size_t i = 0; i < COUNT(mails); i++) {
		char *argument = copy_of(mails[i].argument);
		struct mail_arguments mail;
		enum command_result r = command_parse_mail(argument, &mail);

		is_int(r, mails[i].result, "MAIL %s", mails[i].argument);
		if (r == COMMAND_OK) {
			is_str(mail.sender.text, mails[i].sender, "sender");
			is_int((int64_t)mail.size_bytes,
			    (int64_t)mails[i].size_bytes, "size");
			is_int(mail.is_8bitmime, mails[i].is_8bitmime,
			    "8BITMIME");
			is_int(mail.is_smtputf8, mails[i].is_smtputf8,
			    "SMTPUTF8");
			is_int(mail.is_requiretls, mails[i].is_requiretls,
			    "REQUIRETLS");
		}
		free(argument);
	}
}

/* RFC 1870 section 4: up to 20 digits. */
static void
huge_size_is_a_size(void)
{
	char argument[] = "FROM:<a@b> SIZE=99999999999999999999";
	struct mail_arguments mail;

	is_int(command_parse_mail(argument, &mail), 0,
	    "a SIZE of 20 digits is valid");
	ok(mail.size_bytes > INT64_MAX / 16, "and very large");
}

static void
check_rcpts(void)
{
	for (size_t i = 0; i < COUNT(rcpts); i++) {
		char *argument = copy_of(rcpts[i].argument);
		struct rcpt_arguments rcpt;
		enum command_result result =
		    command_parse_rcpt(argument, rcpts[i].is_smtputf8, &rcpt);

		is_int(result, rcpts[i].result, "RCPT %s", rcpts[i].argument);
		if (result == COMMAND_OK)
			is_str(rcpt.recipient.text, rcpts[i].recipient, "is %s",
			    rcpts[i].recipient);
		free(argument);
	}
}

static void
check_names(void)
{
	for (size_t i = 0; i < COUNT(names); i++) {
		char name[COMMAND_NAME_SIZE];
		bool result = command_parse_name(names[i].argument, name);

		is_int(result, names[i].name != NULL, "EHLO %s",
		    names[i].argument);
		if (result)
			is_str(name, names[i].name, "is shown as %s",
			    names[i].name);
	}
}

int
main(void)
{
	check_splits();
	check_mails();
	huge_size_is_a_size();
	check_rcpts();
	check_names();
	return done_testing();
}
