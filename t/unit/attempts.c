/* SPDX-License-Identifier: ISC */

/*
 * attempts.c - lines of an attempt file are parsed as they were rendered;
 * damaged and torn lines are detected.
 */

#include "config.h"

#include <errno.h>

#include "lib/spool/attempts.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* clang-format off */
static const struct { struct attempt attempt; const char *line; } lines[] = {
	{ { 1763836310123, 1, 0, { OUTCOME_DEFERRED, TOLD_NO }, "4.4.1", "mx.example.org[192.0.2.1]: timed out" },
	    "1 1763836310123 0 deferred 4.4.1 mx.example.org[192.0.2.1]: timed out\n" },
	{ { 1, 4294967, 999, { OUTCOME_DELIVERED, TOLD_NO }, "2.0.0", "250 2.0.0 Ok" },
	    "4294967 1 999 delivered 2.0.0 250 2.0.0 Ok\n" },
	{ { 1, 2, 3, { OUTCOME_FAILED, TOLD_NO }, "5.999.999", "b\xc3\xbc" },
	    "2 1 3 failed 5.999.999 b\xc3\xbc\n" },
	{ { 1, 2, 3, { OUTCOME_FAILED, TOLD_NO }, "5.0.0", "" },
	    "2 1 3 failed 5.0.0 \n" },
	{ { 1, 2, 3, { OUTCOME_FAILED, TOLD_NO }, "5.0.0", "  x" },
	    "2 1 3 failed 5.0.0   x\n" },
	{ { 1, 2, 3, { OUTCOME_DELIVERED, TOLD_OWED }, "2.0.0", "250 ok" },
	    "2 1 3 relayed 2.0.0 250 ok\n" },
	{ { 1, 2, 3, { OUTCOME_DEFERRED, TOLD_YES }, "2.0.0", "" },
	    "2 1 3 delayed 2.0.0 \n" },
	{ { 1, 2, 3, { OUTCOME_FAILED, TOLD_YES }, "2.0.0", "" },
	    "2 1 3 returned 2.0.0 \n" },
	/* A reply cannot forge a line. */
	{ { 1, 2, 3, { OUTCOME_FAILED, TOLD_NO }, "5.0.0", "no\r\n2 1 4 delivered 2.0.0 x\ty\x7f" },
	    "2 1 3 failed 5.0.0 no??2 1 4 delivered 2.0.0 x?y?\n" },
};

static const struct { const char *line; int result; } damaged[] = {
	{ "", -EAGAIN },
	{ "1 2 0 deferred 4.4.1 cut short", -EAGAIN },
	{ "1 2 0 deferred", -EAGAIN },
	{ "\n", -EBADMSG },
	{ "1\n", -EBADMSG },
	{ "1 2\n", -EBADMSG },
	{ "1 2 0\n", -EBADMSG },
	{ "1 2 0 deferred\n", -EBADMSG },
	{ "1 2 0 none 4.4.1 x\n", -EBADMSG },
	{ "1 2 0 lost 4.4.1 x\n", -EBADMSG },
	{ "1 2 0 DELIVERED 2.0.0 x\n", -EBADMSG },
	{ "1 2 0 deliveredness 2.0.0 x\n", -EBADMSG },
	{ "x 2 0 deferred 4.4.1 x\n", -EBADMSG },
	{ "1 x 0 deferred 4.4.1 x\n", -EBADMSG },
	{ "1 2 x deferred 4.4.1 x\n", -EBADMSG },
	{ "-1 2 0 deferred 4.4.1 x\n", -EBADMSG },
	{ "1 -2 0 deferred 4.4.1 x\n", -EBADMSG },
	{ "1 2 -1 deferred 4.4.1 x\n", -EBADMSG },
	{ "+1 2 0 deferred 4.4.1 x\n", -EBADMSG },
	{ "01 2 0 deferred 4.4.1 x\n", -EBADMSG },
	{ "1  2 0 deferred 4.4.1 x\n", -EBADMSG },
	{ "1 2 0deferred 4.4.1 x\n", -EBADMSG },
	{ "1 2 0 deferred 4.4.1\tx\n", -EBADMSG },
	{ "1 2 0 deferred 4.4.1 x\ty\n", -EBADMSG },
};
/* clang-format on */

static void
check_line(const struct attempt *attempt, const char *expected)
{
	char line[ATTEMPT_LINE_SIZE], again[ATTEMPT_LINE_SIZE];
	size_t length = attempt_render(attempt, line), used = 0;
	struct attempt read;

	is_mem(line, length, expected, strlen(expected), "rendered: %s",
	    expected);
	is_int(attempt_parse(line, length, &read, &used), 0, "parsed: %s",
	    expected);
	is_int((int64_t)used, (int64_t)length, "parsed to its end: %s",
	    expected);
	used = attempt_render(&read, again);
	is_mem(again, used, line, length, "unchanged when rendered again: %s",
	    expected);
	is_int(read.state.outcome, attempt->state.outcome, "outcome of: %s",
	    expected);
	is_int(read.state.told, attempt->state.told,
	    "state of the notice of: %s", expected);
}

static void
every_torn_line_is_detected(void)
{
	const char *line = lines[0].line;
	struct attempt read;
	size_t used;
	unsigned wrong = 0;

	for (size_t n = 0; n < strlen(line); n++)
		wrong += attempt_parse(line, n, &read, &used) != -EAGAIN;
	is_int(wrong, 0, "a line cut short at any octet is detected");
}

static void
damaged_line_is_skipped(void)
{
	static const char text[] = "rubbish\n1 2 7 failed 5.1.1 no\n";
	struct attempt read;
	size_t used = 0;

	is_int(attempt_parse(text, sizeof(text) - 1, &read, &used), -EBADMSG,
	    "a damaged line is detected");
	is_int((int64_t)used, 8, "with its length");
	is_int(attempt_parse(text + 8, sizeof(text) - 9, &read, &used), 0,
	    "the next one is read");
	is_int((int64_t)read.recipient, 7, "with its recipient");
}

static void
line_with_nul_is_damaged(void)
{
	static const char text[] = "1 2 0 failed 5.1.1 \0no\n";
	struct attempt read;
	size_t used = 0;

	is_int(attempt_parse(text, sizeof(text) - 1, &read, &used), -EBADMSG,
	    "a line with a NUL is damaged");
}

static void
long_detail_is_cut(void)
{
	struct attempt attempt = { 1763836310123, 1, 0,
		{ OUTCOME_DEFERRED, TOLD_NO }, "4.4.1", "" },
		       read;
	char line[ATTEMPT_LINE_SIZE], text[2 * ATTEMPT_LINE_SIZE];
	size_t length, used;

	memset(attempt.detail, 'x', sizeof(attempt.detail) - 1);
	length = attempt_render(&attempt, line);
	is_int((int64_t)length, ATTEMPT_LINE_SIZE - 1, "a long line is cut");
	ok(line[length - 1] == '\n', "and still ends in a newline");
	is_int(attempt_parse(line, length, &read, &used), 0, "and is read");

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	is_int(attempt_parse(text, sizeof(text), &read, &used), -EBADMSG,
	    "a line that is too long is damaged");
	is_int((int64_t)used, sizeof(text), "and is skipped to its end");
}

/* Host, reason and reply, and the detail that contains them. */
static const struct {
	const char *host, *reason, *reply, *detail;
} details[] = {
	{ "mx.a.org[192.0.2.1]", "refused at RCPT", "550 5.1.1 a: b",
	    "mx.a.org[192.0.2.1]: refused at RCPT: 550 5.1.1 a: b" },
	{ "[2001:db8::1]", "", "250-ok / 250 ok",
	    "[2001:db8::1]: 250-ok / 250 ok" },
	{ "mx.a.org[192.0.2.1]", "TLS: no: certificate", "",
	    "mx.a.org[192.0.2.1]: TLS: no: certificate" },
	{ "", "the domain: 550 it does not exist", "",
	    "the domain: 550 it does not exist" },
	{ "", "", "", "" },
};

static void
detail_is_split(void)
{
	struct attempt_detail parts;
	struct attempt attempt;

	for (size_t i = 0; i < COUNT(details); i++) {
		attempt_set_detail(&attempt, details[i].host, details[i].reason,
		    details[i].reply);
		is_str(attempt.detail, details[i].detail, "detail");
		attempt_get_detail(&attempt, &parts);
		is_str(parts.host, details[i].host, "its host");
		is_str(parts.reason, details[i].reason, "its reason");
		is_str(parts.reply, details[i].reply, "its reply");
	}
	memset(attempt.detail, ':', sizeof(attempt.detail) - 1);
	attempt.detail[sizeof(attempt.detail) - 1] = '\0';
	attempt_get_detail(&attempt, &parts);
	is_int((int64_t)strlen(parts.reason), ATTEMPT_PART_SIZE - 1,
	    "a long reason is cut");
}

int
main(void)
{
	detail_is_split();
	for (size_t i = 0; i < COUNT(lines); i++)
		check_line(&lines[i].attempt, lines[i].line);
	for (size_t i = 0; i < COUNT(damaged); i++) {
		struct attempt read;
		size_t used;

		is_int(attempt_parse(damaged[i].line, strlen(damaged[i].line),
			   &read, &used),
		    damaged[i].result, "line \"%s\"", damaged[i].line);
	}
	every_torn_line_is_detected();
	damaged_line_is_skipped();
	line_with_nul_is_damaged();
	long_detail_is_cut();
	return done_testing();
}
