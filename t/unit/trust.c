/* SPDX-License-Identifier: ISC */

/*
 * trust.c - TLSA records are kept if they are usable, and of two digests the
 * stronger one; a route may require more than is published, or less.
 */

#include "config.h"

#include "smtp-deliver/policy/trust.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MOST 4

/* Records as "usage selector matching size", and the indices of those that are
 * kept. */
static const struct {
	const char *name;
	struct {
		unsigned usage, selector, matching;
		size_t size_bytes;
	} records[MOST];
	size_t count;
	const char *left;
} rows[] = {
	{ "none", { { 0 } }, 0, "" },
	{ "both usages of RFC 7672", { { 3, 1, 1, 32 }, { 2, 0, 2, 64 } }, 2,
	    "01" },
	{ "usages that need the public authorities",
	    { { 0, 0, 1, 32 }, { 1, 1, 1, 32 }, { 3, 1, 1, 32 } }, 3, "2" },
	{ "an unknown usage, selector, digest",
	    { { 4, 1, 1, 32 }, { 3, 2, 1, 32 }, { 3, 1, 3, 48 },
		{ 255, 255, 255, 1 } },
	    4, "" },
	{ "digests of a wrong size",
	    { { 3, 1, 1, 31 }, { 3, 1, 1, 64 }, { 3, 1, 2, 32 },
		{ 3, 0, 0, 0 } },
	    4, "" },
	{ "whole certificates and keys", { { 3, 0, 0, 500 }, { 2, 1, 0, 91 } },
	    2, "01" },
	{ "a stronger digest of the same",
	    { { 3, 1, 1, 32 }, { 3, 1, 2, 64 }, { 3, 1, 1, 32 } }, 3, "1" },
	{ "a stronger digest of something else",
	    { { 3, 1, 1, 32 }, { 3, 0, 2, 64 }, { 2, 1, 2, 64 } }, 3, "012" },
	{ "a stronger digest that cannot be used",
	    { { 3, 1, 1, 32 }, { 3, 1, 2, 63 } }, 2, "0" },
	{ "a digest beside the whole", { { 3, 1, 1, 32 }, { 3, 1, 0, 91 } }, 2,
	    "01" },
};

static void
check_row(size_t row)
{
	static struct tls_tlsa records[MOST];
	char left[MOST + 1] = "";
	size_t count;

	for (size_t i = 0; i < rows[row].count; i++) {
		records[i].usage = rows[row].records[i].usage;
		records[i].selector = rows[row].records[i].selector;
		records[i].matching = rows[row].records[i].matching;
		records[i].size_bytes = rows[row].records[i].size_bytes;
		records[i].data[0] = (unsigned char)('0' + i);
	}
	count = trust_select_records(records, rows[row].count);
	for (size_t i = 0; i < count; i++)
		left[i] = (char)records[i].data[0];
	is_str(left, rows[row].left, "%s", rows[row].name);
}

/* The policy for a host that publishes nothing. */
static void
check_default(void)
{
	struct deliver_settings settings = { .tls_ca_file = "ca.pem" };
	struct tls_policy policy;
	struct trust trust;

	trust_set_default("mx.test", &trust);
	trust_get_tls_policy(&trust, &settings, &policy);
	ok(!trust.is_tls_required && policy.check == TLS_CHECK_NAME,
	    "for a host that publishes nothing TLS is optional, but verified");
	is_str(policy.host, "mx.test", "against the host's name");
	is_str(policy.ca_file, "ca.pem", "and the trust anchors");
}

/* What is published for a host, what a route requires, and what holds. */
static const struct {
	enum level published;
	bool is_tls_required;
	enum level least;
	bool is_usable;
	enum level level;
	bool needs_tls;
} routes[] = {
	{ LEVEL_VERIFY, false, LEVEL_NONE, true, LEVEL_NONE, false },
	{ LEVEL_DANE, true, LEVEL_NONE, true, LEVEL_NONE, false },
	{ LEVEL_VERIFY, false, LEVEL_MAY, true, LEVEL_MAY, false },
	{ LEVEL_ENCRYPT, true, LEVEL_MAY, true, LEVEL_ENCRYPT, true },
	{ LEVEL_STS, true, LEVEL_MAY, true, LEVEL_STS, true },
	{ LEVEL_DANE, true, LEVEL_MAY, true, LEVEL_DANE, true },
	{ LEVEL_VERIFY, false, LEVEL_ENCRYPT, true, LEVEL_ENCRYPT, true },
	{ LEVEL_DANE, true, LEVEL_ENCRYPT, true, LEVEL_DANE, true },
	{ LEVEL_VERIFY, false, LEVEL_FINGERPRINT, true, LEVEL_FINGERPRINT,
	    true },
	{ LEVEL_DANE, true, LEVEL_FINGERPRINT, true, LEVEL_FINGERPRINT, true },
	{ LEVEL_VERIFY, false, LEVEL_VERIFY, true, LEVEL_VERIFY, true },
	{ LEVEL_ENCRYPT, true, LEVEL_VERIFY, true, LEVEL_VERIFY, true },
	{ LEVEL_STS, true, LEVEL_VERIFY, true, LEVEL_STS, true },
	{ LEVEL_ENCRYPT, true, LEVEL_STS, false, LEVEL_ENCRYPT, true },
	{ LEVEL_VERIFY, false, LEVEL_STS, false, LEVEL_VERIFY, true },
	{ LEVEL_DANE, true, LEVEL_STS, true, LEVEL_DANE, true },
	{ LEVEL_STS, true, LEVEL_DANE, false, LEVEL_STS, true },
};

static void
check_route(size_t row)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	struct trust trust;

	trust_set_default("mx.test", &trust);
	trust.level = routes[row].published;
	trust.is_tls_required = routes[row].is_tls_required;
	is_int(trust_require(&trust, routes[row].least, &verdict),
	    routes[row].is_usable, "%s is published, tls %s",
	    level_name(routes[row].published), level_name(routes[row].least));
	is_str(level_name(trust.level), level_name(routes[row].level),
	    "so that holds");
	is_int(trust.is_tls_required, routes[row].needs_tls,
	    "and TLS is required or not");
}

/* How certificates are checked at each level, and with REQUIRETLS. */
static const struct {
	enum level level;
	enum tls_check check;
	bool is_verified;
	enum level required;
} checks[] = {
	{ LEVEL_MAY, TLS_CHECK_NONE, false, LEVEL_VERIFY },
	{ LEVEL_ENCRYPT, TLS_CHECK_NONE, false, LEVEL_VERIFY },
	{ LEVEL_FINGERPRINT, TLS_CHECK_FINGERPRINT, true, LEVEL_FINGERPRINT },
	{ LEVEL_VERIFY, TLS_CHECK_NAME, true, LEVEL_VERIFY },
	{ LEVEL_STS, TLS_CHECK_NAME, true, LEVEL_STS },
	{ LEVEL_DANE, TLS_CHECK_DANE, true, LEVEL_DANE },
};

static void
check_level(size_t row)
{
	struct deliver_settings settings = { .tls_ca_file = "ca.pem" };
	struct tls_policy policy;
	struct trust trust;

	trust_set_default("mx.test", &trust);
	trust.level = checks[row].level;
	trust_get_tls_policy(&trust, &settings, &policy);
	is_int(policy.check, checks[row].check, "what tls %s checks",
	    level_name(checks[row].level));
	is_int(policy.is_san_required, checks[row].level == LEVEL_STS,
	    "whether alternative names count alone");
	is_int(trust_is_verified(&trust), checks[row].is_verified,
	    "and whether that is verified");
	trust_require_verified(&trust);
	is_str(level_name(trust.level), level_name(checks[row].required),
	    "REQUIRETLS asks for that");
}

int
main(void)
{
	for (size_t row = 0; row < COUNT(routes); row++)
		check_route(row);
	for (size_t row = 0; row < COUNT(checks); row++)
		check_level(row);
	for (size_t row = 0; row < COUNT(rows); row++)
		check_row(row);
	check_default();
	return done_testing();
}
