/* SPDX-License-Identifier: ISC */

/*
 * reply.c - replies of remote hosts: an accepted reply has a code and a status
 * of three numbers, and can be logged and recorded.
 */

#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/client/reply.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/log.h"
#include "t/fuzz/peer.h"

#define TIMEOUT_MS 10000

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_open("smtp-deliver");
	return 0;
}

/* The status is such as "4.4.1"; its class is that of the code. */
static void
check_status(const struct remote_reply *reply)
{
	unsigned subject, detail;
	char class, rest;

	must(strlen(reply->status) < sizeof(reply->status));
	/* NOLINTNEXTLINE(cert-err34-c): the widths bound the numbers */
	must(sscanf(reply->status, "%c.%3u.%3u%c", &class, &subject, &detail,
		 &rest) == 3);
	must(class == '0' + reply->code / 100);
}

static void
check_record(const struct remote_reply *reply)
{
	struct attempt attempt = { .number = 1,
		.state.outcome = OUTCOME_DEFERRED };
	struct attempt read;
	char line[ATTEMPT_LINE_SIZE];
	size_t length, used;

	(void)strlcpy(attempt.status, reply->status, sizeof(attempt.status));
	(void)strlcpy(attempt.detail, reply->text, sizeof(attempt.detail));
	length = attempt_render(&attempt, line);
	must(attempt_parse(line, length, &read, &used) == 0);
	must(used == length && strcmp(read.status, reply->status) == 0);
}

static void
check_log(const struct remote_reply *reply)
{
	unsigned long lines = log_lines();

	audit_write(&(struct audit_record){
	    .event = AUDIT_DEFERRED,
	    .status = reply->status,
	    .reply = reply->text,
	});
	must(log_lines() == lines + 1);
}

static void
check_reply(const struct remote_reply *reply)
{
	char code[4];

	must(reply->code >= 200 && reply->code <= 599);
	must(strnlen(reply->text, sizeof(reply->text)) < sizeof(reply->text));
	(void)snprintf(code, sizeof(code), "%d", reply->code % 1000);
	must(strncmp(reply->text, code, 3) == 0 && reply->text[3] == ' ');
	check_status(reply);
	check_record(reply);
	check_log(reply);
}

static void
count_line(void *context, const char *text)
{
	unsigned *lines = context;

	must(strlen(text) < REPLY_OCTETS_MAX);
	++*lines;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = peer_connect(data, size), r;
	struct remote_reply reply;
	struct stream *stream;
	unsigned lines;
	size_t length;

	must(stream_open(fd, fd, TIMEOUT_MS, &stream) == 0);
	do {
		int64_t start_mono_ms = clock_mono_ms();

		lines = 0;
		r = reply_read(stream, start_mono_ms + TIMEOUT_MS, count_line,
		    &lines, &reply);
		must(lines <= REPLY_LINES_MAX);
		must(clock_mono_ms() - start_mono_ms <= TIMEOUT_MS);
		if (r == 0) {
			must(lines > 0);
			check_reply(&reply);
		}
	} while (r == 0);
	must(r == -EPROTO || r == -ECONNRESET || r == -ETIMEDOUT);
	stream_free(stream);
	close(fd);
	(void)peer_end(&length);
	must(length == 0);
	return 0;
}
