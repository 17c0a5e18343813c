/* SPDX-License-Identifier: ISC */

/*
 * reply.c - replies of remote hosts (RFC 5321 sections 4.2 and 4.2.1, RFC
 * 2034 section 4).
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "smtp-deliver/client/reply.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int
reply_parse_line(const char *line, int *ret_code, const char **ret_text)
{
	if (line[0] < '2' || line[0] > '5' || !is_digit(line[1]) ||
	    !is_digit(line[2]))
		return -EPROTO;
	if (line[3] != '\0' && line[3] != ' ' && line[3] != '-')
		return -EPROTO;
	*ret_code =
	    (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
	*ret_text = line[3] == '\0' ? line + 3 : line + 4;
	return line[3] != '-';
}

/* Take the enhanced status code at the start of the text if its class is the
 * code's; otherwise derive one from the code. */
static void
set_status(struct remote_reply *reply, const char *text)
{
	char class = (char)('0' + reply->code / 100);
	unsigned subject, detail;
	int length = 0;

	(void)snprintf(reply->status, sizeof(reply->status), "%c.0.0", class);
	/* sscanf(3) accepts spaces and signs as well. */
	if (*text == class &&
	    /* NOLINTNEXTLINE(cert-err34-c): three digits always fit */
	    sscanf(text + 1, ".%3u.%3u%n", &subject, &detail, &length) == 2 &&
	    strspn(text, "0123456789.") == (size_t)length + 1 &&
	    (text[1 + length] == ' ' || text[1 + length] == '\0'))
		(void)snprintf(reply->status, sizeof(reply->status), "%c.%u.%u",
		    class, subject % 1000, detail % 1000);
}

/* Join the lines of a reply. What does not fit is dropped. */
static void
add_text(struct remote_reply *reply, const char *text)
{
	if (reply->text[0] == '\0')
		(void)snprintf(reply->text, sizeof(reply->text), "%d ",
		    reply->code);
	else
		(void)strlcat(reply->text, " / ", sizeof(reply->text));
	(void)strlcat(reply->text, text, sizeof(reply->text));
}

static int
take_line(struct remote_reply *reply, const char *line, reply_line *on_line,
    void *context)
{
	const char *text;
	int code, is_last;

	if ((is_last = reply_parse_line(line, &code, &text)) < 0)
		return is_last;
	/* RFC 5321 section 4.2.1: all lines have the same code. */
	if (reply->code != 0 && reply->code != code)
		return -EPROTO;
	if (reply->code == 0) {
		reply->code = code;
		set_status(reply, text);
	}
	add_text(reply, text);
	if (on_line != NULL)
		on_line(context, text);
	return is_last;
}

int
reply_read(struct stream *stream, int64_t deadline_mono_ms, reply_line *on_line,
    void *context, struct remote_reply *ret_reply)
{
	char line[REPLY_OCTETS_MAX];
	size_t left = sizeof(line);

	*ret_reply = (struct remote_reply){ .code = 0 };
	for (int i = 0; i < REPLY_LINES_MAX; i++) {
		ssize_t n =
		    stream_get_line(stream, line, left, deadline_mono_ms);
		int is_last;

		if (n == -EMSGSIZE || n == -EBADMSG)
			return -EPROTO;
		if (n < 0)
			return (int)n;
		left -= (size_t)n + 1;
		is_last = take_line(ret_reply, line, on_line, context);
		if (is_last != 0)
			return is_last < 0 ? is_last : 0;
	}
	return -EPROTO;
}
