/* SPDX-License-Identifier: ISC */

/*
 * notice.c - notices to senders: their parts, and the text of remote hosts in
 * them. t/notices.bats has other programs read whole notices.
 */

#include "config.h"

#include "smtp-deliver/queue/notice.h"
#include "t/unit/tap.h"

#define LINE_OCTETS_MAX 998

static struct notice_recipient recipient;
static struct notice notice;

static void
start(void)
{
	recipient = (struct notice_recipient){
		.address = "bob@example.org",
		.status = "5.1.1",
		.host = "mx.example.org[192.0.2.1]",
		.reply = "550 5.1.1 Nobody here",
		.reason = "refused at RCPT",
		.tried_real_ms = INT64_C(1763836310123),
	};
	notice = (struct notice){
		.kind = NOTICE_FAILED,
		.id = "019aad1f6b2e5d0c7f3a9be1",
		.hostname = "our.example.com",
		.sender = "alice@example.com",
		.now_real_ms = INT64_C(1763836320000),
		.arrival_real_ms = INT64_C(1763836300000),
		.recipients = &recipient,
		.recipient_count = 1,
		.original = "Subject: hello\r\n",
		.original_length = 16,
	};
}

/* Render the notice; the caller frees it. */
static char *
render(void)
{
	char *text;
	size_t length;

	need(notice_render(&notice, &text, &length) == 0);
	need(strlen(text) == length);
	return text;
}

static void
has(const char *expected)
{
	char *text = render();

	ok(strstr(text, expected) != NULL, "has: %.60s", expected);
	free(text);
}

static void
lacks(const char *unexpected)
{
	char *text = render();

	ok(strstr(text, unexpected) == NULL, "lacks: %.60s", unexpected);
	free(text);
}

/* Check that any host can receive the notice: lines end in CRLF, are not too
 * long, and are ASCII. */
static void
can_be_sent(bool is_8bit_allowed, const char *what)
{
	char *text = render();
	size_t column = 0, odd = 0, long_lines = 0;

	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '\r' && p[1] == '\n') {
			long_lines += column > LINE_OCTETS_MAX;
			column = 0;
			p++;
			continue;
		}
		column++;
		odd += (c < ' ' && c != '\t') || c == 0x7f ||
		    (c > 0x7f && !is_8bit_allowed);
	}
	is_int((int)column, 0, "%s: the last line has an end", what);
	is_int((int)odd, 0, "%s: every octet can be sent", what);
	is_int((int)long_lines, 0, "%s: no line is too long", what);
	free(text);
}

static void
bounce_has_its_fields(void)
{
	start();
	has("\r\nFrom: Mail delivery <MAILER-DAEMON@our.example.com>\r\n");
	has("\r\nTo: <alice@example.com>\r\n");
	has("\r\nAuto-Submitted: auto-replied\r\n");
	has("multipart/report; report-type=delivery-status;\r\n");
	has("Content-Type: message/delivery-status\r\n");
	has("\r\nReporting-MTA: dns; our.example.com\r\n"
	    "Arrival-Date: Sat, 22 Nov 2025 18:31:40 +0000\r\n"
	    "\r\n"
	    "Final-Recipient: rfc822; bob@example.org\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.example.org\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 Nobody here\r\n"
	    "Last-Attempt-Date: Sat, 22 Nov 2025 18:31:50 +0000\r\n");
	has("Content-Type: text/rfc822-headers\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\nSubject: hello\r\n");
	has("  <bob@example.org>\r\n"
	    "    mx.example.org[192.0.2.1] said: 550 5.1.1 Nobody here\r\n");
	can_be_sent(false, "a bounce");
}

static void
no_host_replied(void)
{
	start();
	recipient.host = recipient.reply = "";
	recipient.reason = "the domain takes no mail";
	lacks("Remote-MTA");
	has("\r\nDiagnostic-Code: X-Smtpserver; the domain takes no mail\r\n");
	has("    the domain takes no mail\r\n");
}

static void
host_without_name(void)
{
	start();
	recipient.host = "[192.0.2.1]";
	has("\r\nRemote-MTA: dns; [192.0.2.1]\r\n");
}

static void
remote_text_forges_nothing(void)
{
	start();
	recipient.reply =
	    "550 no\r\nAction: delivered\r\n\r\n--=_"
	    "019aad1f6b2e5d0c7f3a9be1--\r\n\x1b[2J\x7f\xff\xc2\x85";
	lacks("\r\nAction: delivered");
	lacks("\r\n--=_019aad1f6b2e5d0c7f3a9be1--\r\n\x1b");
	can_be_sent(false, "a reply of control characters");
}

static void
long_texts_are_folded(void)
{
	static char words[4000], word[4000];

	start();
	for (size_t i = 0; i < sizeof(words) - 1; i++)
		words[i] = i % 10 == 9 ? ' ' : 'w';
	memset(word, 'x', sizeof(word) - 1);
	recipient.reply = words;
	can_be_sent(false, "a long reply of words");
	recipient.reply = word;
	can_be_sent(false, "a long word");
	recipient.reason = recipient.host = word;
	recipient.reply = "";
	can_be_sent(false, "a long reason of a long host");
	/* A folded line begins with a blank, so it is not a field of its
	 * own. */
	has("\r\n xxxxxxxxxx");
}

static void
header_is_encoded_if_necessary(void)
{
	static char line[3000];

	start();
	notice.original = "Subject: gr\xc3\xbcn = \r\nX: \x01\r\n";
	notice.original_length = strlen(notice.original);
	has("quoted-printable\r\n\r\n"
	    "Subject: gr=C3=BCn =3D=20\r\nX: =01\r\n");
	can_be_sent(false, "a header in 8 bits");

	memset(line, 'x', sizeof(line) - 1);
	notice.original = line;
	notice.original_length = strlen(line);
	can_be_sent(false, "a header with a long line");
	notice.original_length = 0;
	can_be_sent(false, "no header");
}

static void
sender_with_odd_dots(void)
{
	start();
	notice.sender = "alice..@example.com";
	has("\r\nTo: <\"alice..\"@example.com>\r\n");
	can_be_sent(false, "a sender with odd dots");
}

static void
recipient_in_utf8(void)
{
	start();
	recipient.address = "gr\xc3\xbcn@example.org";
	recipient.reply = "550 K\xc3\xb6nig";
	recipient.orcpt = "utf-8;gr\xc3\xbcn+2Btag@example.org";
	has("Original-Recipient: utf-8; gr\\x{FC}n+tag@example.org\r\n"
	    "Final-Recipient: utf-8; gr\\x{FC}n@example.org\r\n");
	has("  <gr=C3=BCn@example.org>\r\n");
	can_be_sent(false, "a recipient in UTF-8");
}

static void
sender_in_utf8(void)
{
	start();
	notice.sender = "k\xc3\xb6nig@example.com";
	recipient.address = "gr\xc3\xbcn@example.org";
	has("report-type=global-delivery-status;");
	has("Content-Type: message/global-delivery-status\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n");
	has("Final-Recipient: utf-8; gr\xc3\xbcn@example.org\r\n");
	has("\r\nTo: <k\xc3\xb6nig@example.com>\r\n");
	can_be_sent(true, "a sender in UTF-8");
}

static void
expired_message_has_its_last_error(void)
{
	start();
	recipient.is_expired = true;
	has("    Delivery was retried until the message expired. Last error:\r\n"
	    "    mx.example.org[192.0.2.1]");
}

int
main(void)
{
	bounce_has_its_fields();
	no_host_replied();
	host_without_name();
	remote_text_forges_nothing();
	long_texts_are_folded();
	header_is_encoded_if_necessary();
	sender_with_odd_dots();
	recipient_in_utf8();
	sender_in_utf8();
	expired_message_has_its_last_error();
	return done_testing();
}
