/* SPDX-License-Identifier: ISC */

/*
 * trust.c - TLSA records are kept if they are usable, and of two digests the
 * stronger one.
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

int
main(void)
{
	for (size_t row = 0; row < COUNT(rows); row++)
		check_row(row);
	check_default();
	return done_testing();
}
