/* SPDX-License-Identifier: ISC */

#ifndef TRUST_H
#define TRUST_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp-deliver/settings.h"
#include "lib/tls.h"
#include "smtp-deliver/net/dns.h"
#include "smtp-deliver/policy/level.h"
#include "smtp-deliver/policy/sts.h"
#include "smtp-deliver/verdict.h"

/* A TLS policy for one host. */
struct trust {
	enum level level;
	bool is_tls_required; /* without STARTTLS the host is not used */
	bool is_tested; /* the domain's MTA-STS policy is, by this delivery */
	bool is_tls_first; /* before the greeting (RFC 8314): no STARTTLS */
	char base[DNS_NAME_SIZE]; /* the name that the TLSA records are of */
	char host[DNS_NAME_SIZE];
	char domain[DNS_NAME_SIZE]; /* whose mail it takes */
	size_t record_count;
	struct tls_tlsa records[DNS_TLSA_MAX];
};

/*
 * Find the strongest policy that is published for a host of a route.
 *
 * destination	what the route is for: a domain, or an address literal.
 * host		a name, or an IP address.
 * port		that it is connected to at.
 *
 * Returns 0, or -EHOSTUNREACH with ret_verdict telling why the host must not be
 * used: there is no knowing what is published for it (RFC 7672 section 2.1.2).
 */
int trust_find(const char *destination, const char *host, int port,
    struct trust *ret_trust, struct verdict *ret_verdict);

/*
 * Apply the MTA-STS policy of the domain, where no TLSA records hold (RFC 8461
 * section 2): the host must be one of the policy's.
 *
 * Returns 0, or -EHOSTUNREACH if the host must not be used, or was not to be
 * used if the policy were not tested only: see is_tested. ret_verdict tells.
 */
int trust_apply_sts(struct trust *trust, const struct sts_policy *policy,
    struct verdict *ret_verdict);

/*
 * Ask for as much as an administrator does, where the policy that was found
 * asks for less: TLS is a must then, and LEVEL_STS and LEVEL_DANE must be
 * published. LEVEL_NONE, for a host that he has named himself, asks for nothing
 * at all.
 *
 * Returns 0, or -EHOSTUNREACH with ret_verdict telling why the host must not be
 * used.
 */
int trust_require(struct trust *trust, enum level least,
    struct verdict *ret_verdict);

/* Nothing is published: a host that offers TLS must verify (promise P5). */
void trust_set_default(const char *host, struct trust *ret_trust);

/* Keep the records that are of use: those that we understand (RFC 7672 section
 * 3.1), and no weaker digest where there is a stronger one of the same (RFC
 * 7671 section 9). Returns how many are left. */
size_t trust_select_records(struct tls_tlsa *records, size_t count);

/* The policy as tls_connect() takes it, while trust and settings stay. */
void trust_get_tls_policy(const struct trust *trust,
    const struct deliver_settings *settings, struct tls_policy *ret_policy);

#endif
