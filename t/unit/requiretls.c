/* SPDX-License-Identifier: ISC */

/*
 * requiretls.c - which hosts may have a message with REQUIRETLS.
 */

#include "config.h"

#include <errno.h>

#include "smtp-deliver/policy/requiretls.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

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
static const struct sts_policy unknown = { .is_unknown = true };

static const struct {
	const char *what;
	const char *host;
	bool is_name_secure;
	const struct sts_policy *policy;
	int result;
} names[] = {
	{ "DNSSEC vouches", "mx.example.org", true, NULL, 0 },
	{ "DNSSEC vouches, a policy does not", "mx.test", true, &enforced, 0 },
	{ "a policy vouches", "mx.example.org", false, &enforced, 0 },
	{ "a policy has others", "mx.test", false, &enforced,
	    -EPROTONOSUPPORT },
	{ "a policy is tested", "mx.example.org", false, &tested,
	    -EPROTONOSUPPORT },
	{ "there is no policy", "mx.example.org", false, &absent,
	    -EPROTONOSUPPORT },
	{ "there can be no policy", "mx.example.org", false, NULL,
	    -EPROTONOSUPPORT },
	{ "there may be a policy", "mx.example.org", false, &unknown, -EAGAIN },
	{ "there may be a policy, and DNSSEC vouches", "mx.example.org", true,
	    &unknown, 0 },
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
	is_int(r, names[row].result, "a host: %s", names[row].what);
	if (r == 0)
		return;
	is_str(verdict.status, r == -EAGAIN ? "4.7.0" : "5.7.30",
	    "with its status");
	ok((verdict.outcome == OUTCOME_FAILED) == (r == -EPROTONOSUPPORT) &&
		verdict_is_valid(&verdict),
	    "and a verdict that can be said");
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
	for (size_t i = 0; i < COUNT(names); i++)
		check_name(i);
	for (size_t i = 0; i < COUNT(clients); i++)
		check_client(i);
	return done_testing();
}
