/* SPDX-License-Identifier: ISC */

/*
 * reply.c - replies of remote hosts, as RFC 5321 section 4.2 defines them;
 * anything else is refused.
 */

#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "smtp-deliver/client/reply.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* clang-format off */
static const struct { const char *line; int result, code; const char *text; } lines[] = {
	{ "250 ok", 1, 250, "ok" },
	{ "250-ok", 0, 250, "ok" },
	{ "250", 1, 250, "" },
	{ "250 ", 1, 250, "" },
	{ "250-", 0, 250, "" },
	{ "354 go", 1, 354, "go" },
	{ "599 x", 1, 599, "x" },
	{ "200  x", 1, 200, " x" },
	{ "", -EPROTO },
	{ "2", -EPROTO },
	{ "25", -EPROTO },
	{ "25 ok", -EPROTO },
	{ "2500 ok", -EPROTO },
	{ "250ok", -EPROTO },
	{ "250\tok", -EPROTO },
	{ "150 ok", -EPROTO },
	{ "650 ok", -EPROTO },
	{ " 250 ok", -EPROTO },
	{ "ok", -EPROTO },
	{ "HTTP/1.1 400 Bad Request", -EPROTO },
};

/* The input, the result, and the code, status and text of the reply. */
static const struct { const char *input; int result, code; const char *status, *text; } replies[] = {
	{ "250 ok\r\n", 0, 250, "2.0.0", "250 ok" },
	{ "250 2.1.5 ok\r\n", 0, 250, "2.1.5", "250 2.1.5 ok" },
	{ "550 5.1.1 no\r\n", 0, 550, "5.1.1", "550 5.1.1 no" },
	{ "550 5.1.1\r\n", 0, 550, "5.1.1", "550 5.1.1" },
	{ "450 4.999.999 x\r\n", 0, 450, "4.999.999", "450 4.999.999 x" },
	{ "421\r\n", 0, 421, "4.0.0", "421 " },
	/* a status that is invalid, or of another class */
	{ "550 4.1.1 no\r\n", 0, 550, "5.0.0", "550 4.1.1 no" },
	{ "550 5.1.1no\r\n", 0, 550, "5.0.0", "550 5.1.1no" },
	{ "550 5.1\r\n", 0, 550, "5.0.0", "550 5.1" },
	{ "550 5.1.1.1 no\r\n", 0, 550, "5.0.0", "550 5.1.1.1 no" },
	{ "550 5.-1.1 no\r\n", 0, 550, "5.0.0", "550 5.-1.1 no" },
	{ "550 5. 1. 1 no\r\n", 0, 550, "5.0.0", "550 5. 1. 1 no" },
	{ "550 5.1.+1 no\r\n", 0, 550, "5.0.0", "550 5.1.+1 no" },
	{ "550 5.1.1000 no\r\n", 0, 550, "5.0.0", "550 5.1.1000 no" },
	/* several lines */
	{ "250-one\r\n250-two\r\n250 three\r\n", 0, 250, "2.0.0", "250 one / two / three" },
	{ "550-5.7.1 one\r\n550 5.7.1 two\r\n", 0, 550, "5.7.1", "550 5.7.1 one / 5.7.1 two" },
	{ "250-one\r\n550 two\r\n", -EPROTO },
	{ "250-one\r\nrubbish\r\n", -EPROTO },
	/* not replies */
	{ "\r\n", -EPROTO },
	{ "SSH-2.0-OpenSSH\r\n", -EPROTO },
	{ "250 ok\n", -EPROTO },
	{ "250 o\rk\r\n", -EPROTO },
	/* cut short */
	{ "", -ECONNRESET },
	{ "250 ok", -ECONNRESET },
	{ "250-one\r\n", -ECONNRESET },
};
/* clang-format on */

/* Read a reply from a host that sends the input and hangs up. */
static int
get_reply(const char *input, reply_line *on_line, void *context,
    struct remote_reply *ret_reply)
{
	struct stream *stream;
	int fds[2], r;

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	need(write(fds[1], input, strlen(input)) == (ssize_t)strlen(input));
	close(fds[1]);
	need(stream_open(fds[0], fds[0], 1000, &stream) == 0);
	r = reply_read(stream, clock_mono_ms() + 10000, on_line, context,
	    ret_reply);
	stream_free(stream);
	close(fds[0]);
	return r;
}

static void
check_lines(void)
{
	for (size_t i = 0; i < COUNT(lines); i++) {
		const char *text = NULL;
		int code = 0;

		is_int(reply_parse_line(lines[i].line, &code, &text),
		    lines[i].result, "line \"%s\"", lines[i].line);
		if (lines[i].result < 0)
			continue;
		is_int(code, lines[i].code, "code of \"%s\"", lines[i].line);
		is_str(text, lines[i].text, "text of \"%s\"", lines[i].line);
	}
}

static void
check_replies(void)
{
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct remote_reply reply;
		int r = get_reply(replies[i].input, NULL, NULL, &reply);

		is_int(r, replies[i].result, "reply \"%.40s\"",
		    replies[i].input);
		if (r < 0)
			continue;
		is_int(reply.code, replies[i].code, "its code");
		is_str(reply.status, replies[i].status, "its status");
		is_str(reply.text, replies[i].text, "its text");
	}
}

static void
join(void *context, const char *text)
{
	(void)strlcat(context, text, 100);
	(void)strlcat(context, ";", 100);
}

static void
each_line_is_seen(void)
{
	struct remote_reply reply;
	char seen[100] = "";

	need(get_reply("250-mx.test\r\n250-SIZE 10\r\n250 STARTTLS\r\n", join,
		 seen, &reply) == 0);
	is_str(seen, "mx.test;SIZE 10;STARTTLS;", "each line is seen");
}

/* Make a reply of so many lines, each of so many octets after the code. */
static char *
make_reply(size_t count, size_t octets)
{
	size_t size = count * (octets + 6) + 1;
	char *input = malloc(size), *end = input;

	need(input != NULL);
	for (size_t i = 1; i <= count; i++) {
		end += sprintf(end, "550%c", i < count ? '-' : ' ');
		memset(end, 'x', octets);
		end = stpcpy(end + octets, "\r\n");
	}
	return input;
}

/* A reply is judged by its code, however long it is, within limits. */
static void
long_replies_are_taken(void)
{
	/* clang-format off */
	static const struct { size_t lines, octets; int result; } sizes[] = {
		{ 1, 600, 0 },
		{ 1, 2043, 0 },
		{ 1, 2044, 0 },
		{ 1, 10000, 0 },
		{ 1, REPLY_OCTETS_MAX - 5, 0 },
		{ 1, REPLY_OCTETS_MAX - 4, -EPROTO },
		{ 3, 1000, 0 },
		{ 6, 10000, 0 },
		{ 7, 10000, -EPROTO },
		{ 129, 1, 0 },
		{ REPLY_LINES_MAX, 1, 0 },
		{ REPLY_LINES_MAX + 1, 1, -EPROTO },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *input = make_reply(sizes[i].lines, sizes[i].octets);
		struct remote_reply reply;

		is_int(get_reply(input, NULL, NULL, &reply), sizes[i].result,
		    "%zu lines of %zu octets", sizes[i].lines, sizes[i].octets);
		if (sizes[i].result == 0) {
			is_int(reply.code, 550, "their code");
			ok(strncmp(reply.text, "550 x", 5) == 0,
			    "the beginning of their text");
		}
		free(input);
	}
}

int
main(void)
{
	check_lines();
	check_replies();
	each_line_is_seen();
	long_replies_are_taken();
	return done_testing();
}
