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

/* The TLS policy for one host. */
struct trust {
	enum level level;
	bool is_tls_required; /* without STARTTLS the host is not used */
	bool is_tested; /* the domain's MTA-STS policy is in testing mode */
	bool is_tls_first; /* TLS before the greeting, no STARTTLS (RFC 8314) */
	char base[DNS_NAME_SIZE]; /* owner of the TLSA records */
	char host[DNS_NAME_SIZE];
	char domain[DNS_NAME_SIZE]; /* that the host takes mail for */
	struct level_pins pins; /* with LEVEL_FINGERPRINT */
	size_t record_count;
	struct tls_tlsa records[DNS_TLSA_MAX];
};

/*
 * Each of these three returns whether the host may be used. If not, ret_verdict
 * says why; it is unchanged otherwise.
 */

/*
 * Find the strongest policy that is published for a host of a route. Without an
 * answer from the DNS the host must not be used (RFC 7672 section 2.1.2).
 *
 * destination	what the route leads to: a domain, or an address literal.
 * host		a name, or an IP address.
 * port		that it is connected to at.
 */
bool trust_find(const char *destination, const char *host, int port,
    struct trust *ret_trust, struct verdict *ret_verdict);

/*
 * Apply the MTA-STS policy of the domain, unless TLSA records hold (RFC 8461
 * section 2): the policy must name the host. In testing mode (is_tested) the
 * host is used even if this returns false.
 */
bool trust_apply_sts(struct trust *trust, const struct sts_policy *policy,
    struct verdict *ret_verdict);

/*
 * Require at least the level that an administrator asks for. TLS is required
 * then, except for LEVEL_MAY, and what LEVEL_STS and LEVEL_DANE stand for must
 * be published. Where nothing is published, LEVEL_MAY and LEVEL_ENCRYPT do
 * without checks of the certificate. LEVEL_NONE and LEVEL_FINGERPRINT are
 * exact; the caller sets the pins.
 */
bool trust_require(struct trust *trust, enum level least,
    struct verdict *ret_verdict);

/* Require a verified certificate, if there is TLS, of a host whose certificate
 * would not be checked. */
void trust_require_verified(struct trust *trust);

/* Whether the certificate is verified at a level, if there is TLS. */
static inline bool
trust_is_verified(const struct trust *trust)
{
	return trust->level >= LEVEL_FINGERPRINT;
}

/* The policy for a host that nothing is published for: if it offers TLS its
 * certificate must verify (promise P5). */
void trust_set_default(const char *host, struct trust *ret_trust);

/* Keep the usable records: those that we understand (RFC 7672 section 3.1), and
 * no weaker digest where there is a stronger one of the same (RFC 7671 section
 * 9). Returns how many remain. */
size_t trust_select_records(struct tls_tlsa *records, size_t count);

/* The policy as tls_connect() takes it; refers to trust and settings. */
void trust_get_tls_policy(const struct trust *trust,
    const struct deliver_settings *settings, struct tls_policy *ret_policy);

#endif
