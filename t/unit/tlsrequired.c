/* SPDX-License-Identifier: ISC */

/*
 * tlsrequired.c - messages that override TLS policies.
 */

#include "config.h"

#include "smtp-deliver/content/tlsrequired.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* clang-format off */
static const struct { const char *text; bool is_waived; } messages[] = {
	{ "TLS-Required: No\r\n\r\nx\r\n", true },
	{ "Subject: x\r\ntls-required: no\r\nDate: y\r\n\r\nx\r\n", true },
	{ "TLS-Required:No\r\n", true },
	{ "TLS-Required :  NO \t\r\n\r\n", true },
	{ "TLS-Required:\r\n No\r\n\r\n", true },
	{ "Subject: x\r\n\ty\r\nTLS-Required: No", true },

	/* other values, other fields, other places */
	{ "", false },
	{ "\r\n", false },
	{ "TLS-Required", false },
	{ "TLS-Required:", false },
	{ "TLS-Required: \r\n\r\n", false },
	{ "TLS-Required: N\r\n\r\n", false },
	{ "TLS-Required: Not\r\n\r\n", false },
	{ "TLS-Required: No, please\r\n\r\n", false },
	{ "TLS-Required: Yes\r\n No\r\n\r\n", false },
	{ "TLS-Required-Not: No\r\n\r\n", false },
	{ "X-TLS-Required: No\r\n\r\n", false },
	{ "Subject: x\r\n TLS-Required: No\r\n\r\n", false },
	{ "Subject: x\r\n\r\nTLS-Required: No\r\n", false },
	{ "\r\nTLS-Required: No\r\n", false },

	/* two such fields are ignored (RFC 8689 section 3) */
	{ "TLS-Required: No\r\nTLS-Required: No\r\n\r\n", false },
	{ "TLS-Required: No\r\nTLS-Required: Yes\r\n\r\n", false },
};
/* clang-format on */

/* Check a copy of exactly its length, so that a sanitizer detects reads past
 * its end. */
static bool
is_waived(const char *text)
{
	size_t length = strlen(text);
	char *copy = malloc(length > 0 ? length : 1);
	bool result;

	need(copy != NULL);
	memcpy(copy, text, length);
	result = tlsrequired_is_no(copy, length);
	free(copy);
	return result;
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(messages); i++)
		is_int(is_waived(messages[i].text), messages[i].is_waived,
		    "message %zu", i + 1);
	return done_testing();
}
