/* SPDX-License-Identifier: ISC */

/*
 * headers.c - missing From, Date and Message-ID fields are added, Bcc and its
 * like are removed, and nothing else of a message changes, however it is split.
 */

#include "config.h"

#include <errno.h>

#include "smtp-session/headers.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define FROM "From: F\r\n"
#define DATE "Date: D\r\n"
#define ID "Message-ID: <I>\r\n"
#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10
#define X100 X70 X10 X10 X10
#define X900 X100 X100 X100 X100 X100 X100 X100 X100 X100

static char out[4096];
static size_t used;

/* clang-format off */
static const struct { const char *input, *output; unsigned received; } rows[] = {
	/* what is missing */
	{ "Subject: x\r\n\r\nbody\r\n", "Subject: x\r\n" FROM DATE ID "\r\nbody\r\n", 0 },
	{ "Date: y\r\n\r\nbody\r\n", "Date: y\r\n" FROM ID "\r\nbody\r\n", 0 },
	{ "Message-ID: <y>\r\n\r\nbody\r\n", "Message-ID: <y>\r\n" FROM DATE "\r\nbody\r\n", 0 },
	{ "Date: y\r\nMessage-ID: <y>\r\n\r\nbody\r\n", "Date: y\r\nMessage-ID: <y>\r\n" FROM "\r\nbody\r\n", 0 },
	{ "Message-ID: <y>\r\nDate: y\r\n\r\n", "Message-ID: <y>\r\nDate: y\r\n" FROM "\r\n", 0 },

	{ "From: y\r\nDate: y\r\nMessage-ID: <y>\r\n\r\nbody\r\n", "From: y\r\nDate: y\r\nMessage-ID: <y>\r\n\r\nbody\r\n", 0 },
	{ "from:\r\n y\r\n\r\nbody\r\n", "from:\r\n y\r\n" DATE ID "\r\nbody\r\n", 0 },
	{ "Resent-From: y\r\nFromage: y\r\nSubject: x\r\n From: y\r\n\r\n", "Resent-From: y\r\nFromage: y\r\nSubject: x\r\n From: y\r\n" FROM DATE ID "\r\n", 0 },

	/* names are compared without case, spaces may precede the colon */
	{ "DATE: y\r\nmessage-id: <y>\r\n\r\n", "DATE: y\r\nmessage-id: <y>\r\n" FROM "\r\n", 0 },
	{ "Date : y\r\nMessage-ID\t: <y>\r\n\r\n", "Date : y\r\nMessage-ID\t: <y>\r\n" FROM "\r\n", 0 },
	{ "Date:\r\nMessage-ID:\r\n\r\n", "Date:\r\nMessage-ID:\r\n" FROM "\r\n", 0 },
	{ "X-Date: y\r\nDated: y\r\nDat: y\r\n\r\n", "X-Date: y\r\nDated: y\r\nDat: y\r\n" FROM DATE ID "\r\n", 0 },
	{ "Resent-Date: y\r\nX-Message-ID: y\r\n\r\n", "Resent-Date: y\r\nX-Message-ID: y\r\n" FROM DATE ID "\r\n", 0 },

	/* folded fields */
	{ "Subject: x\r\n Date: y\r\n\tMessage-ID: <y>\r\n\r\n", "Subject: x\r\n Date: y\r\n\tMessage-ID: <y>\r\n" FROM DATE ID "\r\n", 0 },
	{ "Date:\r\n y\r\nMessage-ID:\r\n <y>\r\n\r\nb\r\n", "Date:\r\n y\r\nMessage-ID:\r\n <y>\r\n" FROM "\r\nb\r\n", 0 },
	{ "Subject: x\r\n \r\nDate: y\r\n\r\n", "Subject: x\r\n \r\nDate: y\r\n" FROM ID "\r\n", 0 },

	/* the body is not looked at */
	{ "Subject: x\r\n\r\nDate: y\r\nMessage-ID: <y>\r\n", "Subject: x\r\n" FROM DATE ID "\r\nDate: y\r\nMessage-ID: <y>\r\n", 0 },
	{ "\r\nDate: y\r\n", FROM DATE ID "\r\nDate: y\r\n", 0 },
	{ "Subject: x\r\n\r\n\r\n\r\n.\r\n", "Subject: x\r\n" FROM DATE ID "\r\n\r\n\r\n.\r\n", 0 },

	/* no header, no body, nothing */
	{ "hello\r\n", FROM DATE ID "\r\nhello\r\n", 0 },
	{ "hello world: x\r\n", FROM DATE ID "\r\nhello world: x\r\n", 0 },
	{ "hello\r\n\r\nworld\r\n", FROM DATE ID "\r\nhello\r\n\r\nworld\r\n", 0 },
	{ ": x\r\n", FROM DATE ID "\r\n: x\r\n", 0 },
	{ " Date: y\r\n", FROM DATE ID "\r\n Date: y\r\n", 0 },
	{ "\xc3\xbc: x\r\n", FROM DATE ID "\r\n\xc3\xbc: x\r\n", 0 },
	{ "\r\n", FROM DATE ID "\r\n", 0 },
	{ "", FROM DATE ID, 0 },
	{ "Subject: x\r\n", "Subject: x\r\n" FROM DATE ID, 0 },
	{ "Date: y\r\nMessage-ID: <y>\r\n", "Date: y\r\nMessage-ID: <y>\r\n" FROM, 0 },

	/* a header that ends at a line which is not a field */
	{ "Date: y\r\nhello\r\nSubject: x\r\n", "Date: y\r\n" FROM ID "\r\nhello\r\nSubject: x\r\n", 0 },
	{ "Subject: x\r\nhello there: y\r\n", "Subject: x\r\n" FROM DATE ID "\r\nhello there: y\r\n", 0 },
	{ "Subject: x\r\nhello", "Subject: x\r\n" FROM DATE ID "\r\nhello", 0 },

	/* names as long as a line, and longer */
	{ X70 "xxxxxxx: y\r\n\r\n", X70 "xxxxxxx: y\r\n" FROM DATE ID "\r\n", 0 },
	{ X70 X10 ": y\r\n\r\n", X70 X10 ": y\r\n" FROM DATE ID "\r\n", 0 },
	{ X900 X70 X10 X10 "xxxxxxx: y\r\n\r\n", X900 X70 X10 X10 "xxxxxxx: y\r\n" FROM DATE ID "\r\n", 0 },
	{ X900 X70 X10 X10 "xxxxxxxx: y\r\n\r\n", FROM DATE ID "\r\n" X900 X70 X10 X10 "xxxxxxxx: y\r\n\r\n", 0 },

	/* mbox lines before a header */
	{ "From a@b Mon Jan  1\r\nDate: y\r\n\r\nb\r\n", "Date: y\r\n" FROM ID "\r\nb\r\n", 0 },
	{ ">From a@b\r\nDate: y\r\n\r\nb\r\n", "Date: y\r\n" FROM ID "\r\nb\r\n", 0 },
	{ ">From a\r\n>>From b\r\nFrom \t c\r\nDate: y\r\n", "Date: y\r\n" FROM ID, 0 },
	{ "From a: b\r\nBcc: y\r\n\r\nb\r\n", FROM DATE ID "\r\nb\r\n", 0 },
	{ "From " X900 "\r\nDate: y\r\n", "Date: y\r\n" FROM ID, 0 },
	{ "Date: y\r\nFrom a@b\r\nSubject: x\r\n", "Date: y\r\n" FROM ID "\r\nFrom a@b\r\nSubject: x\r\n", 0 },

	/* text that begins with From */
	{ "From us all\r\n", FROM DATE ID "\r\nFrom us all\r\n", 0 },
	{ "From us all", FROM DATE ID "\r\nFrom us all", 0 },
	{ "From \r\n", FROM DATE ID "\r\nFrom \r\n", 0 },
	{ "From us all\r\n\r\nDate: y\r\n", FROM DATE ID "\r\nFrom us all\r\n\r\nDate: y\r\n", 0 },
	{ "From us\r\nFrom you\r\nhello\r\n", FROM DATE ID "\r\nFrom us\r\nFrom you\r\nhello\r\n", 0 },
	{ "From us\r\n Date: y\r\n", FROM DATE ID "\r\nFrom us\r\n Date: y\r\n", 0 },
	{ "From us\r\nhello", FROM DATE ID "\r\nFrom us\r\nhello", 0 },
	{ "From " X900 X100 "\r\nDate: y\r\n", FROM DATE ID "\r\nFrom " X900 X100 "\r\nDate: y\r\n", 0 },
	{ "From " X900 "\r\nFrom " X900 "\r\nDate: y\r\n", FROM DATE ID "\r\nFrom " X900 "\r\nFrom " X900 "\r\nDate: y\r\n", 0 },
	{ "From\r\nDate: y\r\n", FROM DATE ID "\r\nFrom\r\nDate: y\r\n", 0 },
	{ "> From a\r\nDate: y\r\n", FROM DATE ID "\r\n> From a\r\nDate: y\r\n", 0 },
	{ "from a\r\nDate: y\r\n", FROM DATE ID "\r\nfrom a\r\nDate: y\r\n", 0 },
	{ "From : x\r\nDate: y\r\n\r\n", "From : x\r\nDate: y\r\n" ID "\r\n", 0 },

	/* fields that are removed, with their folded lines */
	{ "Bcc: x\r\nSubject: x\r\n\r\nb\r\n", "Subject: x\r\n" FROM DATE ID "\r\nb\r\n", 0 },
	{ "Subject: x\r\nBCC : x,\r\n y,\r\n\tz\r\nTo: y\r\n\r\nb\r\n", "Subject: x\r\nTo: y\r\n" FROM DATE ID "\r\nb\r\n", 0 },
	{ "bcc:\r\nResent-Bcc: x\r\nreturn-path: <x>\r\nContent-Length: 9\r\n\r\nb\r\n", FROM DATE ID "\r\nb\r\n", 0 },
	{ "Bcc: x\r\n \r\n y\r\n\r\nb\r\n", FROM DATE ID "\r\nb\r\n", 0 },
	{ "Bcc: x\r\nhello\r\n", FROM DATE ID "\r\nhello\r\n", 0 },
	{ "Bcc: x\r\n y\r\n", FROM DATE ID, 0 },
	{ "Subject: x\r\n Bcc: x\r\nX-Bcc: x\r\nBccs: x\r\nResent-Cc: x\r\n\r\nBcc: x\r\n",
	    "Subject: x\r\n Bcc: x\r\nX-Bcc: x\r\nBccs: x\r\nResent-Cc: x\r\n" FROM DATE ID "\r\nBcc: x\r\n", 0 },

	/* Received is counted */
	{ "Received: x\r\nreceived : y\r\n\tReceived: z\r\nX-Received: x\r\n\r\nReceived: x\r\n",
	    "Received: x\r\nreceived : y\r\n\tReceived: z\r\nX-Received: x\r\n" FROM DATE ID "\r\nReceived: x\r\n", 2 },
};

/* The sender, and the body of its From field. */
static const char *const froms[][2] = {
	{ "a.b@example.com", "a.b@example.com" },
	{ "gr\xc3\xbc@b\xc3\xbc.example", "gr\xc3\xbc@b\xc3\xbc.example" },
	{ "\"a b\"@example.com", "\"a b\"@example.com" },
	{ "\"a@b\"@example.com", "\"a@b\"@example.com" },
	{ "a@[IPv6:::1]", "a@[IPv6:::1]" },
	{ "a..b@example.com", "\"a..b\"@example.com" },
	{ "a.@example.com", "\"a.\"@example.com" },
	{ "", "MAILER-DAEMON@mail.test" },
};
/* clang-format on */

static int
write_out(void *context, const void *data, size_t size_bytes)
{
	(void)context;
	need(used + size_bytes <= sizeof(out));
	memcpy(out + used, data, size_bytes);
	used += size_bytes;
	return 0;
}

static void
start(struct headers *headers)
{
	used = 0;
	headers_start(headers, write_out, NULL, "F", "D", "<I>");
}

static bool
is_output(const char *expected)
{
	return used == strlen(expected) && memcmp(out, expected, used) == 0;
}

/* Pass the message in two pieces, cut at every place, and octet by octet. */
static unsigned
count_wrong(const char *input, const char *output)
{
	size_t length = strlen(input);
	struct headers headers;
	unsigned wrong = 0;

	for (size_t cut = 0; cut <= length; cut++) {
		start(&headers);
		need(headers_pass(&headers, input, cut) == 0);
		need(headers_pass(&headers, input + cut, length - cut) == 0);
		need(headers_end(&headers) == 0);
		wrong += !is_output(output);
	}
	start(&headers);
	for (size_t i = 0; i < length; i++)
		need(headers_pass(&headers, input + i, 1) == 0);
	need(headers_end(&headers) == 0);
	return wrong + !is_output(output);
}

static void
check_row(size_t row)
{
	const char *input = rows[row].input;
	struct headers headers;

	start(&headers);
	is_int(headers_pass(&headers, input, strlen(input)), 0, "passes \"%s\"",
	    input);
	need(headers_end(&headers) == 0);
	out[used] = '\0';
	is_str(out, rows[row].output, "as \"%s\"", rows[row].output);
	is_int(headers.received, rows[row].received, "with %u Received",
	    rows[row].received);
	is_int(count_wrong(input, rows[row].output), 0,
	    "however the message is split");
}

static int
write_nothing(void *context, const void *data, size_t size_bytes)
{
	(void)context;
	(void)data;
	(void)size_bytes;
	return -ENOSPC;
}

static void
write_errors_are_returned(void)
{
	static const char *const texts[] = { "Subject: x\r\n", "\r\n",
		"hello x" };
	struct headers headers;

	for (size_t i = 0; i < COUNT(texts); i++) {
		headers_start(&headers, write_nothing, NULL, "F", "D", "<I>");
		is_int(headers_pass(&headers, texts[i], strlen(texts[i])),
		    -ENOSPC, "an error while \"%s\" is written is returned",
		    texts[i]);
	}
	headers_start(&headers, write_nothing, NULL, "F", "D", "<I>");
	is_int(headers_end(&headers), -ENOSPC, "and one at the end");
}

static void
from_is_the_sender(void)
{
	char from[HEADERS_FROM_SIZE];

	for (size_t i = 0; i < COUNT(froms); i++) {
		headers_format_from(froms[i][0], "mail.test", from);
		is_str(from, froms[i][1], "From of \"%s\"", froms[i][0]);
	}
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(i);
	from_is_the_sender();
	write_errors_are_returned();
	return done_testing();
}
