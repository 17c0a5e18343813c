/* SPDX-License-Identifier: ISC */

/*
 * trace.c - the Received field names the protocol, and the recipient only if
 * there is a single one.
 */

#include "config.h"

#include "smtp-session/trace.h"
#include "t/unit/tap.h"

#define REAL_MS INT64_C(1763836310123)

/* clang-format off */

/* RFC 3848 and RFC 6531 section 4.3. */
static const struct { bool is_esmtp, is_tls, is_smtputf8; const char *name; } rows[] = {
	{ false, false, false, "SMTP" },
	{ true, false, false, "ESMTP" },
	{ true, true, false, "ESMTPS" },
	{ true, false, true, "UTF8SMTP" },
	{ true, true, true, "UTF8SMTPS" },
};
/* clang-format on */

static struct trace
new_trace(void)
{
	return (struct trace){ .client_name = "client.example",
		.peer = "[127.0.0.1]",
		.hostname = "mail.example.org",
		.id = "019aad1f6b2e5d0c7f3a9be1",
		.is_esmtp = true,
		.real_ms = REAL_MS };
}

static void
field_is_what_rfc_5321_says(void)
{
	struct trace trace = new_trace();
	char text[TRACE_SIZE];
	size_t length = trace_render(&trace, text);

	is_int((int64_t)length, (int64_t)strlen(text),
	    "the length of a field is returned");
	is_str(text,
	    "Received: from client.example ([127.0.0.1])\r\n"
	    "\tby mail.example.org (smtpserver) with ESMTP"
	    " id 019aad1f6b2e5d0c7f3a9be1;\r\n"
	    "\tSat, 22 Nov 2025 18:31:50 +0000\r\n",
	    "a field without a recipient");
	trace.recipient = "a@example.com";
	(void)trace_render(&trace, text);
	ok(strstr(text, "\r\n\tfor <a@example.com>;\r\n\tSat,") != NULL,
	    "a field with a recipient");
}

static void
submitter_is_a_comment(void)
{
	struct submitter submitter = { .is_known = true, .uid = 4294967294 };
	struct trace trace = new_trace();
	char text[TRACE_SIZE];

	trace.submitter = &submitter;
	(void)trace_render(&trace, text);
	text[strcspn(text, ";")] = '\0';
	is_str(text,
	    "Received: from client.example ([127.0.0.1]) (uid 4294967294)\r\n"
	    "\tby mail.example.org (smtpserver) with ESMTP"
	    " id 019aad1f6b2e5d0c7f3a9be1",
	    "a field with the submitter");
}

static void
longest_field_fits(void)
{
	struct submitter submitter = { .is_known = true, .uid = 4294967294 };
	struct trace trace = new_trace();
	char text[TRACE_SIZE], name[256], address[255];
	size_t length;

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(address, 'y', sizeof(address) - 1);
	address[sizeof(address) - 1] = '\0';
	trace.client_name = trace.hostname = name;
	trace.recipient = address;
	trace.submitter = &submitter;
	length = trace_render(&trace, text);
	is_int((int64_t)length, (int64_t)strlen(text), "the longest names fit");
	is_str(text + strlen(text) - 9, "0 +0000\r\n", "to the end");
}

int
main(void)
{
	char text[TRACE_SIZE], expected[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct trace trace = new_trace();

		trace.is_esmtp = rows[i].is_esmtp;
		trace.is_tls = rows[i].is_tls;
		trace.is_smtputf8 = rows[i].is_smtputf8;
		(void)trace_render(&trace, text);
		(void)snprintf(expected, sizeof(expected), " with %s id ",
		    rows[i].name);
		ok(strstr(text, expected) != NULL, "protocol %s", rows[i].name);
	}
	field_is_what_rfc_5321_says();
	submitter_is_a_comment();
	longest_field_fits();
	return done_testing();
}
