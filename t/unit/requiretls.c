/* SPDX-License-Identifier: ISC */

/*
 * requiretls.c - which hosts may have a message with REQUIRETLS, and which
 * messages put TLS policies aside.
 */

#include "config.h"

#include <errno.h>

#include "smtp-deliver/requiretls.h"
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

	/* two of them are none (RFC 8689 section 3) */
	{ "TLS-Required: No\r\nTLS-Required: No\r\n\r\n", false },
	{ "TLS-Required: No\r\nTLS-Required: Yes\r\n\r\n", false },
};
/* clang-format on */

/* From a copy that is no longer than it has to be. */
static bool
is_waived(const char *text)
{
	size_t length = strlen(text);
	char *copy = malloc(length > 0 ? length : 1);
	bool result;

	need(copy != NULL);
	memcpy(copy, text, length);
	result = requiretls_is_waived(copy, length);
	free(copy);
	return result;
}

static const struct sts_policy enforced = {
	.mode = STS_ENFORCE,
	.mx_count = 1,
	.mx = { "*.example.org" },
};
static const struct sts_policy tested = {
	.mode = STS_TESTING,
	.mx_count = 1,
	.mx = { "*.example.org" },
};
static const struct sts_policy absent = { .mode = STS_NONE };

static const struct {
	const char *what;
	const char *host;
	bool is_name_secure;
	const struct sts_policy *policy;
	bool is_good;
} names[] = {
	{ "DNSSEC vouches", "mx.example.org", true, NULL, true },
	{ "DNSSEC vouches, a policy does not", "mx.test", true, &enforced,
	    true },
	{ "a policy vouches", "mx.example.org", false, &enforced, true },
	{ "a policy has others", "mx.test", false, &enforced, false },
	{ "a policy is tested", "mx.example.org", false, &tested, false },
	{ "there is no policy", "mx.example.org", false, &absent, false },
	{ "there can be no policy", "mx.example.org", false, NULL, false },
};

static void
check_name(size_t row)
{
	struct route_host host = { .is_name_secure =
				       names[row].is_name_secure };
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	int r;

	(void)strlcpy(host.name, names[row].host, sizeof(host.name));
	r = requiretls_check_name(&host, names[row].policy, &verdict);
	is_int(r, names[row].is_good ? 0 : -EPROTONOSUPPORT, "a host: %s",
	    names[row].what);
	if (r == 0)
		return;
	is_str(verdict.status, "5.7.30", "and that is final");
	ok(verdict.outcome == OUTCOME_FAILED && verdict_is_valid(&verdict),
	    "which a verdict can say");
}

static const struct {
	const char *what, *tls;
	bool has_requiretls;
	const char *status;
} clients[] = {
	{ "TLS and REQUIRETLS", "TLS1.3 X", true, NULL },
	{ "TLS alone", "TLS1.3 X", false, "5.7.30" },
	{ "REQUIRETLS without TLS", "", true, "5.7.10" },
	{ "neither", "", false, "5.7.10" },
};

static void
check_client(size_t row)
{
	static struct client client;
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	int r;

	client.offers.has_requiretls = clients[row].has_requiretls;
	(void)strlcpy(client.dialogue.tls, clients[row].tls,
	    sizeof(client.dialogue.tls));
	r = requiretls_check_client(&client, &verdict);
	is_int(r, clients[row].status == NULL ? 0 : -EPROTONOSUPPORT,
	    "a connection: %s", clients[row].what);
	if (r < 0)
		is_str(verdict.status, clients[row].status, "with its status");
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(messages); i++)
		is_int(is_waived(messages[i].text), messages[i].is_waived,
		    "message %zu", i + 1);
	for (size_t i = 0; i < COUNT(names); i++)
		check_name(i);
	for (size_t i = 0; i < COUNT(clients); i++)
		check_client(i);
	return done_testing();
}
