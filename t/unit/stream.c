/* SPDX-License-Identifier: ISC */

/*
 * stream.c - only CRLF ends a line, a deadline applies to the whole line, and
 * output is sent when input runs dry.
 */

#include "config.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/stream.h"
#include "t/unit/folder.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define LINE_SIZE 12 /* room for 11 octets */
#define SEND_TIMEOUT_MS 300

/* clang-format off */

/* The input, the result of stream_get_line(), and the line. "x" follows each
 * input, to show where the line ended. */
static const struct { const char *input; ssize_t result; const char *line; } lines[] = {
	{ "\r\n", 0, "" },
	{ "NOOP\r\n", 4, "NOOP" },
	{ " \t \r\n", 3, " \t " },
	{ "12345678901\r\n", 11, "12345678901" },
	{ "123456789012\r\n", -EMSGSIZE },
	{ "1234567890123\r\n", -EMSGSIZE },
	{ "1234567890123456789012345678901234567890\r\n", -EMSGSIZE },
	{ "\n", -EBADMSG },
	{ "NOOP\n", -EBADMSG },
	{ "NO\rOP\r\n", -EBADMSG },
	{ "\rNOOP\r\n", -EBADMSG },
	{ "NOOP\r\r\n", -EBADMSG },
	{ "\r\r\n", -EBADMSG },
	{ "12345678901\n", -EBADMSG },
	{ "123456789012\n", -EBADMSG },
	{ "1234567890\r12345\r\n", -EBADMSG },
	{ "123456789012345\r12345\r\n", -EBADMSG },
	{ "12345678901\r\r\n", -EBADMSG },
	{ "\xff\xfe\r\n", 2, "\xff\xfe" },
};

/* The same of stream_get_any_line(), and whether the line ended in CRLF. */
static const struct { const char *input; ssize_t result; const char *line; bool is_crlf; } any_lines[] = {
	{ "\r\n", 0, "", true },
	{ "\n", 0, "", false },
	{ "\r\r\n", 0, "", false },
	{ "NOOP\r\n", 4, "NOOP", true },
	{ "NOOP\n", 4, "NOOP", false },
	{ "NOOP\r\r\n", 4, "NOOP", false },
	{ "12345678901\n", 11, "12345678901", false },
	{ "12345678901\r\r\r\n", 11, "12345678901", false },
	{ "123456789012\n", -EMSGSIZE },
	{ "123456789012\r\n", -EMSGSIZE },
	{ "123456789012\r\r\n", -EMSGSIZE },
	{ "NO\rOP\r\n", -EBADMSG },
	{ "\rNOOP\n", -EBADMSG },
	{ "123456789012345\r12345\n", -EBADMSG },
};
/* clang-format on */

static int ours, theirs; /* the ends of a socket pair */
static struct stream *stream;

static void
connect_stream(void)
{
	int fds[2];

	need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	ours = fds[0];
	theirs = fds[1];
	need(stream_open(ours, ours, SEND_TIMEOUT_MS, &stream) == 0);
}

static void
disconnect_stream(void)
{
	stream_free(stream);
	close(ours);
	if (theirs >= 0)
		close(theirs);
}

static void
say(const char *text)
{
	need(write(theirs, text, strlen(text)) == (ssize_t)strlen(text));
}

static void
pause_ms(int ms)
{
	struct timespec pause = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

static int64_t
in_ms(int ms)
{
	return clock_mono_ms() + ms;
}

/* Return what arrived at the other end, after waiting for the first of it. */
static const char *
heard(void)
{
	static char text[256];
	ssize_t n = recv(theirs, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static bool
is_silent(void)
{
	struct pollfd pfd = { .fd = theirs, .events = POLLIN };

	return poll(&pfd, 1, 0) == 0;
}

/* Whether only the "x" that followed is left. */
static bool
is_x_left(void)
{
	const char *data;

	return stream_peek(stream, &data, in_ms(1000)) == 1 && *data == 'x';
}

static void
check_line(size_t row)
{
	char line[LINE_SIZE];
	ssize_t n;

	connect_stream();
	say(lines[row].input);
	say("x");
	n = stream_get_line(stream, line, sizeof(line), in_ms(1000));
	is_int(n, lines[row].result, "line \"%s\"", lines[row].input);
	if (n >= 0)
		is_str(line, lines[row].line, "is \"%s\"", lines[row].line);
	ok(is_x_left(), "and the stream continues after it");
	disconnect_stream();
}

static void
check_any_line(size_t row)
{
	char line[LINE_SIZE];
	bool is_crlf = !any_lines[row].is_crlf;
	ssize_t n;

	connect_stream();
	say(any_lines[row].input);
	say("x");
	n = stream_get_any_line(stream, line, sizeof(line), in_ms(1000),
	    &is_crlf);
	is_int(n, any_lines[row].result, "any line \"%s\"",
	    any_lines[row].input);
	if (n >= 0) {
		is_str(line, any_lines[row].line, "is \"%s\"",
		    any_lines[row].line);
		is_int(is_crlf, any_lines[row].is_crlf, "CRLF");
	}
	ok(is_x_left(), "and the stream is after it");
	disconnect_stream();
}

/* The same as check_line(), one octet at a time, from another process. */
static void
check_dripped_line(size_t row)
{
	char line[LINE_SIZE];
	ssize_t n;
	pid_t pid;

	connect_stream();
	need((pid = fork()) != -1);
	if (pid == 0) {
		for (const char *p = lines[row].input; *p != '\0'; p++) {
			(void)!write(theirs, p, 1);
			sched_yield();
		}
		_exit(0);
	}
	n = stream_get_line(stream, line, sizeof(line), in_ms(10000));
	is_int(n, lines[row].result, "line \"%s\" octet by octet",
	    lines[row].input);
	need(waitpid(pid, NULL, 0) == pid);
	disconnect_stream();
}

static void
nul_is_an_octet(void)
{
	char line[LINE_SIZE];

	connect_stream();
	need(write(theirs, "a\0b\r\n", 5) == 5);
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(1000)), 3,
	    "a NUL is an octet of the line");
	is_mem(line, 4, "a\0b", 4, "and is in it");
	disconnect_stream();
}

static void
end_of_input_is_reported(void)
{
	char line[LINE_SIZE];
	const char *data;

	connect_stream();
	say("QUI");
	need(shutdown(theirs, SHUT_WR) == 0);
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(1000)),
	    -ECONNRESET, "input that ends within a line is not a line");
	disconnect_stream();

	connect_stream();
	say("QUIT\r");
	need(shutdown(theirs, SHUT_WR) == 0);
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(1000)),
	    -ECONNRESET, "nor is input that ends between CR and LF");
	disconnect_stream();

	connect_stream();
	need(shutdown(theirs, SHUT_WR) == 0);
	is_int(stream_peek(stream, &data, in_ms(1000)), -ECONNRESET,
	    "the end of input is seen by peeking too");
	is_int(stream_put(stream, "bye", 3), 0,
	    "output can follow the end of input");
	is_int(stream_flush(stream), 0, "and is sent");
	is_str(heard(), "bye", "it arrives");
	disconnect_stream();
}

/* With a deadline for each octet, one octet each 20 ms would delay us without
 * end. */
static void
dripping_peer_cannot_pass_the_deadline(void)
{
	char line[1000];
	int64_t start_ms, took_ms;
	pid_t pid;

	connect_stream();
	need((pid = fork()) != -1);
	if (pid == 0) {
		for (int i = 0; i < 250; i++) {
			(void)!send(theirs, "a", 1, MSG_NOSIGNAL);
			pause_ms(20);
		}
		_exit(0);
	}
	start_ms = clock_mono_ms();
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(300)),
	    -ETIMEDOUT, "a peer that drips octets runs into the deadline");
	took_ms = clock_mono_ms() - start_ms;
	ok(took_ms >= 300 && took_ms < 3000,
	    "the deadline is that of the line (%d ms for 300)", (int)took_ms);
	(void)kill(pid, SIGKILL);
	need(waitpid(pid, NULL, 0) == pid);
	disconnect_stream();
}

/* A peer that never stops sending: the line has no end. */
static void
flooding_peer_cannot_pass_the_deadline(void)
{
	char line[LINE_SIZE], flood[4096];
	pid_t pid;

	memset(flood, 'a', sizeof(flood));
	connect_stream();
	need((pid = fork()) != -1);
	if (pid == 0) {
		close(ours);
		alarm(10);
		while (send(theirs, flood, sizeof(flood), MSG_NOSIGNAL) > 0)
			;
		_exit(0);
	}
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(200)),
	    -ETIMEDOUT, "a peer that floods us runs into the deadline");
	(void)kill(pid, SIGKILL);
	need(waitpid(pid, NULL, 0) == pid);
	disconnect_stream();
}

static void
silent_peer_runs_into_the_deadline(void)
{
	char line[LINE_SIZE];
	const char *data;

	connect_stream();
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(50)),
	    -ETIMEDOUT, "a silent peer runs into the deadline");
	disconnect_stream();
	connect_stream();
	is_int(stream_peek(stream, &data, in_ms(-1)), -ETIMEDOUT,
	    "a wait with a past deadline ends at once");
	disconnect_stream();
}

/* A distant deadline takes several system calls. */
static void
late_peer_is_waited_for(bool is_nonblocking)
{
	const char *data;
	pid_t pid;

	connect_stream();
	if (is_nonblocking) {
		stream_free(stream);
		need(fcntl(ours, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
		need(stream_open(ours, ours, SEND_TIMEOUT_MS, &stream) == 0);
	}
	need((pid = fork()) != -1);
	if (pid == 0) {
		pause_ms(1200);
		say("x");
		_exit(0);
	}
	is_int(stream_peek(stream, &data, in_ms(60000)), 1,
	    "a peer that is late is waited for%s",
	    is_nonblocking ? " on a socket that does not wait itself" : "");
	is_int(stream_peek(stream, &data, in_ms(60000)), 1,
	    "its octets stay in the buffer");
	stream_consume(stream, 1);
	is_int(stream_peek(stream, &data, in_ms(1200)), -ETIMEDOUT,
	    "and is not waited for beyond the deadline");
	need(waitpid(pid, NULL, 0) == pid);
	disconnect_stream();
}

/* Buffered input needs no wait, and no deadline. */
static void
buffered_lines_need_no_deadline(void)
{
	char line[LINE_SIZE];

	connect_stream();
	say("one\r\ntwo\r\n");
	need(stream_get_line(stream, line, sizeof(line), in_ms(1000)) == 3);
	ok(stream_has_input(stream), "a second line is buffered");
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(-1)), 3,
	    "and is read without waiting");
	is_str(line, "two", "it is the second");
	ok(!stream_has_input(stream), "no third one is buffered");
	disconnect_stream();
}

static void
output_is_sent_when_input_runs_dry(void)
{
	char line[LINE_SIZE];

	connect_stream();
	say("one\r\ntwo\r\n");
	need(stream_get_line(stream, line, sizeof(line), in_ms(1000)) == 3);
	is_int(stream_printf(stream, "%d %s\r\n", 250, "first"), 0,
	    "a reply is buffered");
	need(stream_get_line(stream, line, sizeof(line), in_ms(1000)) == 3);
	ok(is_silent(), "and not sent while there is input");
	need(stream_put(stream, "250 second\r\n", 12) == 0);
	ok(stream_get_line(stream, line, sizeof(line), in_ms(50)) == -ETIMEDOUT,
	    "when input runs dry");
	is_str(heard(), "250 first\r\n250 second\r\n",
	    "both replies are sent at once, in their order");
	disconnect_stream();
}

static void
flush_sends_and_is_idle_when_empty(void)
{
	connect_stream();
	is_int(stream_flush(stream), 0, "an empty buffer can be flushed");
	need(stream_put(stream, "421 bye\r\n", 9) == 0);
	ok(is_silent(), "output is buffered");
	is_int(stream_flush(stream), 0, "until it is flushed");
	is_str(heard(), "421 bye\r\n", "then it is sent");
	disconnect_stream();
}

/* More than the buffers hold, to a slow reader. */
static void
large_output_arrives_whole(void)
{
	enum { SIZE = 1000003 };
	char *data = malloc(SIZE), *got = calloc(1, SIZE);
	size_t used = 0;
	ssize_t n;
	pid_t pid;

	need(data != NULL && got != NULL);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7 % 251);
	connect_stream();
	need((pid = fork()) != -1);
	if (pid == 0) {
		close(theirs);
		_exit(stream_put(stream, data, SIZE) == 0 &&
			    stream_flush(stream) == 0
			? 0
			: 1);
	}
	while (used < SIZE && (n = read(theirs, got + used, SIZE - used)) > 0)
		used += (size_t)n;
	is_mem(got, used, data, SIZE, "a megabyte arrives as it was sent");
	int status = 1;
	need(waitpid(pid, &status, 0) == pid);
	is_int(status, 0, "and its sender gets no error");
	free(data);
	free(got);
	disconnect_stream();
}

static void
peer_that_does_not_read_runs_into_the_deadline(void)
{
	char chunk[4096] = "";
	int64_t start_ms;
	int r = 0;

	connect_stream();
	start_ms = clock_mono_ms();
	for (int i = 0; i < 10000 && r == 0; i++)
		r = stream_put(stream, chunk, sizeof(chunk));
	is_int(r, -ETIMEDOUT, "a peer that does not read is given up");
	ok(clock_mono_ms() - start_ms < 5000, "by the deadline");
	disconnect_stream();
}

static void
sending_to_a_closed_peer_is_an_error(void)
{
	int r = 0;

	connect_stream();
	close(theirs);
	theirs = -1;
	need(stream_put(stream, "250 ok\r\n", 8) == 0);
	r = stream_flush(stream);
	ok(r == -EPIPE || r == -ECONNRESET,
	    "sending to a closed peer is an error, not a signal");
	disconnect_stream();
}

/* The peer has said why it hung up. */
static void
last_words_can_be_read(bool is_wanted)
{
	char line[LINE_SIZE];
	ssize_t n;

	connect_stream();
	if (is_wanted)
		stream_read_on(stream);
	say("552 full\r\n");
	close(theirs);
	theirs = -1;
	need(stream_put(stream, "more", 4) == 0);
	n = stream_get_line(stream, line, sizeof(line), in_ms(10000));
	is_int(n, is_wanted ? 8 : -EPIPE, "after output has failed input is %s",
	    is_wanted ? "read where that is wanted" : "left");
	ok(!stream_can_send(stream), "no more can be sent");
	is_int(stream_put(stream, "more", 4), -EPIPE,
	    "which is told each time");
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(10000)),
	    -EPIPE, "as it is when nothing is left to read");
	disconnect_stream();
}

static void
too_long_a_text_is_an_error(void)
{
	connect_stream();
	is_int(stream_printf(stream, "%3000d", 1), -EMSGSIZE,
	    "a text that does not fit is an error");
	is_int(stream_flush(stream), 0, "it can be flushed");
	ok(is_silent(), "but nothing of it is sent");
	disconnect_stream();
}

static void
peek_and_consume(void)
{
	const char *data;

	connect_stream();
	say("abcdef");
	is_int(stream_peek(stream, &data, in_ms(1000)), 6,
	    "six octets are buffered");
	stream_consume(stream, 2);
	is_int(stream_peek(stream, &data, in_ms(1000)), 4,
	    "four of them after two are consumed");
	is_mem(data, 4, "cdef", 4, "the last four");
	stream_consume(stream, 4);
	ok(!stream_has_input(stream), "no octet is left");
	disconnect_stream();
}

/* More than the buffer holds, in every alignment to it. */
static void
long_input_is_read_whole(void)
{
	enum { LINES = 20000 };
	char line[64], expected[64];
	unsigned wrong = 0;
	pid_t pid;

	connect_stream();
	need((pid = fork()) != -1);
	if (pid == 0) {
		close(ours);
		for (int i = 0; i < LINES; i++)
			if (dprintf(theirs, "%0*d\r\n", i % 37 + 1, i) < 0)
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < LINES; i++) {
		ssize_t n =
		    stream_get_line(stream, line, sizeof(line), in_ms(20000));

		if (n < 0)
			break;
		(void)snprintf(expected, sizeof(expected), "%0*d", i % 37 + 1,
		    i);
		wrong += strcmp(line, expected) != 0;
		wrong += n != (ssize_t)strlen(expected);
	}
	is_int(wrong, 0, "%d lines are read as they were written", LINES);
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(1)),
	    -ETIMEDOUT, "and no more");
	need(waitpid(pid, NULL, 0) == pid);
	disconnect_stream();
}

/* Two pipes, as in tests and under programs like inetd. */
static void
pipes_are_streams(void)
{
	int in[2], out[2];
	char line[LINE_SIZE], got[64] = "";

	need(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	need(stream_open(in[0], out[1], SEND_TIMEOUT_MS, &stream) == 0);
	need(write(in[1], "NOOP\r\n", 6) == 6);
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(1000)), 4,
	    "a line is read from a pipe");
	need(stream_put(stream, "250 ok\r\n", 8) == 0);
	is_int(stream_flush(stream), 0, "a reply is written to a pipe");
	need(read(out[0], got, sizeof(got) - 1) == 8);
	is_str(got, "250 ok\r\n", "and arrives");
	close(in[1]);
	is_int(stream_get_line(stream, line, sizeof(line), in_ms(1000)),
	    -ECONNRESET, "the end of a pipe is the end of input");
	close(out[0]);
	(void)signal(SIGPIPE, SIG_IGN);
	need(stream_put(stream, "250 ok\r\n", 8) == 0);
	is_int(stream_flush(stream), -EPIPE,
	    "a pipe without a reader is an error");
	stream_free(stream);
	close(in[0]);
	close(out[1]);
}

/* A transport that changes letters to upper case and notes that it was
 * closed. */
struct upper {
	bool is_closed;
};

static ssize_t
upper_receive(void *context, void *buffer, size_t size_bytes,
    int64_t deadline_ms)
{
	ssize_t n =
	    stream_receive_plain(stream, buffer, size_bytes, deadline_ms);

	(void)context;
	for (ssize_t i = 0; i < n; i++)
		((char *)buffer)[i] &= (char)~0x20;
	return n;
}

static int
upper_send(void *context, const void *data, size_t size_bytes,
    int64_t deadline_ms)
{
	(void)context;
	need(stream_send_plain(stream, "<", 1, deadline_ms) == 0);
	need(stream_send_plain(stream, data, size_bytes, deadline_ms) == 0);
	return stream_send_plain(stream, ">", 1, deadline_ms);
}

static void
upper_close(void *context)
{
	((struct upper *)context)->is_closed = true;
}

static void
transport_is_put_under_the_stream(void)
{
	static const struct transport upper = { upper_receive, upper_send,
		upper_close };
	struct upper context = { false };
	const char *data;

	connect_stream();
	say("before");
	need(stream_peek(stream, &data, in_ms(1000)) == 6);
	stream_start_transport(stream, &upper, &context);
	ok(!stream_has_input(stream),
	    "input from before a transport is dropped");
	say("after");
	is_int(stream_peek(stream, &data, in_ms(1000)), 5,
	    "input then passes the transport");
	is_mem(data, 5, "AFTER", 5, "which changes it");
	need(stream_put(stream, "reply", 5) == 0);
	is_int(stream_flush(stream), 0, "output passes the transport");
	pause_ms(1);
	is_str(heard(), "<reply>", "which changes that as well");
	disconnect_stream();
	ok(context.is_closed, "it is closed with the stream");
}

int
main(void)
{
	alarm(120);
	for (size_t i = 0; i < COUNT(lines); i++)
		check_line(i);
	for (size_t i = 0; i < COUNT(any_lines); i++)
		check_any_line(i);
	for (size_t i = 0; i < COUNT(lines); i++)
		check_dripped_line(i);
	nul_is_an_octet();
	end_of_input_is_reported();
	dripping_peer_cannot_pass_the_deadline();
	flooding_peer_cannot_pass_the_deadline();
	silent_peer_runs_into_the_deadline();
	late_peer_is_waited_for(false);
	late_peer_is_waited_for(true);
	buffered_lines_need_no_deadline();
	output_is_sent_when_input_runs_dry();
	flush_sends_and_is_idle_when_empty();
	large_output_arrives_whole();
	peer_that_does_not_read_runs_into_the_deadline();
	sending_to_a_closed_peer_is_an_error();
	last_words_can_be_read(false);
	last_words_can_be_read(true);
	too_long_a_text_is_an_error();
	peek_and_consume();
	long_input_is_read_whole();
	pipes_are_streams();
	transport_is_put_under_the_stream();
	return done_testing();
}
