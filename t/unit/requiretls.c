/* SPDX-License-Identifier: ISC */

/*
 * requiretls.c - hosts that may receive a message with REQUIRETLS.
 */

#include "config.h"

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
	enum requiretls result;
} names[] = {
	{ "DNSSEC vouches", "mx.example.org", true, NULL, REQUIRETLS_MET },
	{ "DNSSEC vouches, a policy does not", "mx.test", true, &enforced,
	    REQUIRETLS_MET },
	{ "a policy vouches", "mx.example.org", false, &enforced,
	    REQUIRETLS_MET },
	{ "a policy names other hosts", "mx.test", false, &enforced,
	    REQUIRETLS_UNMET },
	{ "a policy is in testing mode", "mx.example.org", false, &tested,
	    REQUIRETLS_UNMET },
	{ "there is no policy", "mx.example.org", false, &absent,
	    REQUIRETLS_UNMET },
	{ "there can be no policy", "mx.example.org", false, NULL,
	    REQUIRETLS_UNMET },
	{ "there may be a policy", "mx.example.org", false, &unknown,
	    REQUIRETLS_UNKNOWN },
	{ "there may be a policy, and DNSSEC vouches", "mx.example.org", true,
	    &unknown, REQUIRETLS_MET },
};

static void
check_name(size_t row)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	enum requiretls result = requiretls_check_name(names[row].host,
	    names[row].is_name_secure, names[row].policy, &verdict);

	is_int(result, names[row].result, "a host: %s", names[row].what);
	if (result == REQUIRETLS_MET)
		return;
	is_str(verdict.status,
	    result == REQUIRETLS_UNKNOWN ? "4.7.0" : "5.7.30",
	    "with its status");
	ok((verdict.outcome == OUTCOME_FAILED) ==
		    (result == REQUIRETLS_UNMET) &&
		verdict_is_valid(&verdict),
	    "and a verdict that can be reported");
}

static const struct {
	const char *what;
	bool has_tls, is_requiretls_offered;
	const char *status;
} connections[] = {
	{ "TLS and REQUIRETLS", true, true, NULL },
	{ "TLS alone", true, false, "5.7.30" },
	{ "REQUIRETLS without TLS", false, true, "5.7.10" },
	{ "neither", false, false, "5.7.10" },
};

static void
check_connection(size_t row)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	enum requiretls result =
	    requiretls_check_connection(connections[row].has_tls,
		connections[row].is_requiretls_offered, &verdict);

	is_int(result,
	    connections[row].status == NULL ? REQUIRETLS_MET : REQUIRETLS_UNMET,
	    "a connection: %s", connections[row].what);
	if (result != REQUIRETLS_MET)
		is_str(verdict.status, connections[row].status,
		    "with its status");
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(names); i++)
		check_name(i);
	for (size_t i = 0; i < COUNT(connections); i++)
		check_connection(i);
	return done_testing();
}
