/* SPDX-License-Identifier: ISC */

/*
 * reply.c - replies on the wire (RFC 5321 section 4.2, RFC 2034).
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "smtp-session/reply.h"

const struct reply reply_ok = { 250, "2.0.0", "ok", false };
const struct reply reply_timeout = { 421, "4.4.2", "timeout, closing", true };
const struct reply reply_local_error = { 451, "4.3.0",
	"local error, try again later", false };
const struct reply reply_no_argument = { 501, "5.5.4",
	"this command takes no argument", false };
const struct reply reply_sent = { .code = 0 };
const struct reply reply_hang_up = { .code = 0, .is_last = true };

struct reply
reply_spool_error(int error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return reply_make(452, "4.3.1",
		    "not enough space in the spool, try again later");
	default:
		return reply_local_error;
	}
}

int
reply_put(struct stream *stream, const struct reply *reply)
{
	const char *line = reply->text;

	for (;;) {
		size_t length = strcspn(line, "\n");
		bool is_last = line[length] == '\0';
		int r = stream_printf(stream, "%d%c%s%s%.*s\r\n", reply->code,
		    is_last ? ' ' : '-',
		    reply->status != NULL ? reply->status : "",
		    reply->status != NULL ? " " : "", (int)length, line);

		if (r < 0 || is_last)
			return r;
		line += length + 1;
	}
}

void
reply_format(const struct reply *reply, char *ret_text, size_t size)
{
	(void)snprintf(ret_text, size, "%d %s%s%.*s", reply->code,
	    reply->status != NULL ? reply->status : "",
	    reply->status != NULL ? " " : "", (int)strcspn(reply->text, "\n"),
	    reply->text);
}
