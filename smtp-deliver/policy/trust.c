/* SPDX-License-Identifier: ISC */

/*
 * trust.c - the TLS policy for a host: the strongest that is published.
 *
 *	dane	TLSA records of the host (RFC 7672), if DNSSEC vouches for them
 *		and for the chain from the host's name to its addresses
 *	sts	else, if the domain has an MTA-STS policy (RFC 8461): TLS with a
 *		host that the policy names, whose certificate verifies
 *	verify	else: TLS if it is offered, and then the certificate must verify
 *		(promise P5)
 *	encrypt	but TLS without a check, if the host has TLSA records that
 *		DNSSEC vouches for, of which none is usable
 *
 * An administrator may require more, or do without checks (trust_require()).
 *
 * An MX record without DNSSEC does not rule out DANE: domains at a provider's
 * hosts gain by it (RFC 7672 section 2.2.1), and without DANE the same record
 * would be followed.
 *
 * Without trust-ad in resolv.conf(5) no TLSA records are looked up.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/ip.h"
#include "smtp-deliver/policy/trust.h"

#define BASES_MAX 2

void
trust_set_default(const char *host, struct trust *ret_trust)
{
	ret_trust->level = LEVEL_VERIFY;
	ret_trust->is_tls_required = false;
	ret_trust->is_tested = false;
	ret_trust->is_tls_first = false;
	ret_trust->base[0] = '\0';
	ret_trust->domain[0] = '\0';
	ret_trust->record_count = 0;
	ret_trust->pins.count = 0;
	(void)strlcpy(ret_trust->host, host, sizeof(ret_trust->host));
}

static bool
is_usable(const struct tls_tlsa *record)
{
	const size_t sizes[] = {
		[TLSA_MATCHING_FULL] = record->size_bytes,
		[TLSA_MATCHING_SHA256] = 32,
		[TLSA_MATCHING_SHA512] = 64,
	};

	return (record->usage == TLSA_USAGE_DANE_TA ||
		   record->usage == TLSA_USAGE_DANE_EE) &&
	    record->selector <= TLSA_SELECTOR_KEY &&
	    record->matching <= TLSA_MATCHING_SHA512 &&
	    record->size_bytes > 0 &&
	    record->size_bytes == sizes[record->matching];
}

/* Whether another record has a stronger digest of the same. */
static bool
has_stronger(const struct tls_tlsa *record, const struct tls_tlsa *records,
    size_t count)
{
	if (record->matching != TLSA_MATCHING_SHA256)
		return false;
	for (size_t i = 0; i < count; i++)
		if (records[i].matching == TLSA_MATCHING_SHA512 &&
		    records[i].usage == record->usage &&
		    records[i].selector == record->selector)
			return true;
	return false;
}

size_t
trust_select_records(struct tls_tlsa *records, size_t count)
{
	size_t usable = 0, kept = 0;

	for (size_t i = 0; i < count; i++)
		if (is_usable(&records[i]))
			records[usable++] = records[i];
	/* Records with a stronger digest may move forward, but remain. */
	for (size_t i = 0; i < usable; i++)
		if (!has_stronger(&records[i], records, usable))
			records[kept++] = records[i];
	return kept;
}

/* Find the names whose TLSA records are looked up, in this order (RFC 7672
 * sections 2.2.2 and 2.2.3). */
static enum dns_answer
find_bases(const char *host, char ret_bases[BASES_MAX][DNS_NAME_SIZE],
    size_t *ret_count)
{
	char owner[DNS_NAME_SIZE];
	bool is_secure = false, is_alias;
	enum dns_answer result = dns_find_owner(host, owner, &is_secure);

	*ret_count = 0;
	if (result != DNS_FOUND)
		return result;
	is_alias = strcasecmp(owner, host) != 0;
	if (is_secure)
		(void)strlcpy(ret_bases[(*ret_count)++], owner, DNS_NAME_SIZE);
	else if (!is_alias)
		return DNS_NO_DATA;
	else if ((result = dns_find_alias(host, &is_secure)) != DNS_FOUND)
		return result;
	if (is_alias && is_secure)
		(void)strlcpy(ret_bases[(*ret_count)++], host, DNS_NAME_SIZE);
	return *ret_count > 0 ? DNS_FOUND : DNS_NO_DATA;
}

/* Look up the records of one name. DNS_FOUND: DNSSEC vouches for them, usable
 * or not. */
static enum dns_answer
find_records(const char *base, int port, struct trust *trust)
{
	char name[DNS_NAME_SIZE];
	bool is_secure = false;
	enum dns_answer result;
	size_t count = 0;

	if (snprintf(name, sizeof(name), "_%d._tcp.%s", port, base) >=
	    (int)sizeof(name))
		return DNS_NO_DATA; /* no such name can exist */
	result = dns_find_tlsa(name, trust->records, &count, &is_secure);
	if (result != DNS_FOUND)
		return result;
	if (!is_secure)
		return DNS_NO_DATA;
	(void)strlcpy(trust->base, base, sizeof(trust->base));
	trust->record_count = trust_select_records(trust->records, count);
	return DNS_FOUND;
}

static enum dns_answer
find_dane(const char *host, int port, struct trust *trust)
{
	char bases[BASES_MAX][DNS_NAME_SIZE];
	size_t count;
	enum dns_answer result = find_bases(host, bases, &count);

	if (result != DNS_FOUND)
		return result;
	for (size_t i = 0; i < count; i++) {
		result = find_records(bases[i], port, trust);
		if (result == DNS_FOUND || result == DNS_TROUBLE)
			return result;
	}
	return DNS_NO_DATA;
}

bool
trust_find(const char *destination, const char *host, int port,
    struct trust *ret_trust, struct verdict *ret_verdict)
{
	trust_set_default(host, ret_trust);
	if (is_ip(host) || !dns_has_trust())
		return true;
	switch (find_dane(host, port, ret_trust)) {
	case DNS_FOUND:
		/* Unusable records still require TLS, but do not say which
		 * certificate the host has (RFC 7672 section 2.2). */
		ret_trust->level =
		    ret_trust->record_count > 0 ? LEVEL_DANE : LEVEL_ENCRYPT;
		ret_trust->is_tls_required = true;
		if (idna_to_ascii(destination, ret_trust->domain) < 0)
			ret_trust->domain[0] = '\0';
		return true;
	case DNS_TROUBLE:
		break;
	default:
		return true;
	}
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.3",
	    "the DNS did not answer for the TLSA records of the host");
	(void)strlcpy(ret_verdict->host, host, sizeof(ret_verdict->host));
	return false;
}

bool
trust_apply_sts(struct trust *trust, const struct sts_policy *policy,
    struct verdict *ret_verdict)
{
	if (policy->mode == STS_NONE || trust->level > LEVEL_STS)
		return true;
	trust->is_tested = policy->mode == STS_TESTING;
	if (policy->mode == STS_ENFORCE) {
		trust->level = LEVEL_STS;
		trust->is_tls_required = true;
	}
	if (sts_has_host(policy, trust->host))
		return true;
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.0",
	    "the MTA-STS policy of the domain does not name this host");
	(void)strlcpy(ret_verdict->host, trust->host,
	    sizeof(ret_verdict->host));
	(void)strlcpy(ret_verdict->policy, level_name(LEVEL_STS),
	    sizeof(ret_verdict->policy));
	return false;
}

/* Require a level that needs nothing to be published. */
static void
require_own(struct trust *trust, enum level least)
{
	bool is_exact = least == LEVEL_NONE || least == LEVEL_FINGERPRINT;
	bool is_met = trust->level >= LEVEL_STS ||
	    (least == LEVEL_MAY && trust->level == LEVEL_ENCRYPT);

	trust->is_tls_required =
	    least == LEVEL_MAY ? trust->is_tls_required : least != LEVEL_NONE;
	if (is_exact || !is_met)
		trust->level = least;
}

bool
trust_require(struct trust *trust, enum level least,
    struct verdict *ret_verdict)
{
	if (least < LEVEL_STS) {
		require_own(trust, least);
		return true;
	}
	trust->is_tls_required = true;
	if (trust->level >= least)
		return true;
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.0",
	    "a route requires tls %s, and the host has %s", level_name(least),
	    least == LEVEL_DANE
		? "no TLSA records that DNSSEC vouches for"
		: "neither TLSA records nor an enforced MTA-STS "
		  "policy");
	(void)strlcpy(ret_verdict->host, trust->host,
	    sizeof(ret_verdict->host));
	(void)strlcpy(ret_verdict->policy, level_name(trust->level),
	    sizeof(ret_verdict->policy));
	return false;
}

void
trust_require_verified(struct trust *trust)
{
	if (trust->level == LEVEL_MAY || trust->level == LEVEL_ENCRYPT)
		trust->level = LEVEL_VERIFY;
}

void
trust_get_tls_policy(const struct trust *trust,
    const struct deliver_settings *settings, struct tls_policy *ret_policy)
{
	*ret_policy = (struct tls_policy){
		.check = TLS_CHECK_NAME,
		.host = trust->host,
		.ca_file = settings->tls_ca_file,
		.is_san_required = trust->level == LEVEL_STS,
	};
	if (trust->level < LEVEL_FINGERPRINT)
		ret_policy->check = TLS_CHECK_NONE;
	if (trust->level == LEVEL_FINGERPRINT) {
		ret_policy->check = TLS_CHECK_FINGERPRINT;
		ret_policy->fingerprints = trust->pins.sha256;
		ret_policy->fingerprint_count = trust->pins.count;
	}
	if (trust->level != LEVEL_DANE)
		return;
	ret_policy->check = TLS_CHECK_DANE;
	ret_policy->host = trust->base; /* RFC 7672 section 8.1 */
	ret_policy->records = trust->records;
	ret_policy->record_count = trust->record_count;
	ret_policy->names[0] = trust->base;
	ret_policy->names[1] = trust->host;
	ret_policy->names[2] = trust->domain[0] != '\0' ? trust->domain : NULL;
}
