/* SPDX-License-Identifier: ISC */

/*
 * tlsdane.c - verify a peer's certificates with TLSA records (RFC 7671; RFC
 * 7672 section 3).
 *
 *	DANE-EE(3)	the record matches the peer's own certificate or key:
 *			its names and dates are ignored
 *	DANE-TA(2)	the record matches a certificate above it: that becomes
 *			the only trust anchor; the rest is checked as usual
 *
 * libgnutls-dane is not used. For DANE-TA it checks only that a certificate of
 * the chain matches the record and that the second one signed the first: an
 * attacker can send a forged pair, followed by the true anchor. It also needs
 * libunbound.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>

#include "lib/tlsdane.h"

#define CHAIN_MAX 16 /* certificates; further ones are ignored */

struct chain {
	gnutls_x509_crt_t certificates[CHAIN_MAX];
	unsigned count;
};

static void
free_chain(struct chain *chain)
{
	for (unsigned i = 0; i < chain->count; i++)
		gnutls_x509_crt_deinit(chain->certificates[i]);
}

/* Add a certificate, in DER, to the chain. */
static int
add_certificate(struct chain *chain, const gnutls_datum_t *der)
{
	gnutls_x509_crt_t certificate;

	if (gnutls_x509_crt_init(&certificate) < 0)
		return -EKEYREJECTED;
	if (gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) < 0) {
		gnutls_x509_crt_deinit(certificate);
		return -EKEYREJECTED;
	}
	chain->certificates[chain->count++] = certificate;
	return 0;
}

static int
get_chain(gnutls_session_t session, struct chain *ret_chain)
{
	unsigned count = 0;
	const gnutls_datum_t *shown =
	    gnutls_certificate_get_peers(session, &count);
	int r = 0;

	ret_chain->count = 0;
	if (shown == NULL || count == 0 ||
	    gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) !=
		GNUTLS_CRT_X509)
		return -EKEYREJECTED;
	for (unsigned i = 0; r == 0 && i < count && i < CHAIN_MAX; i++)
		r = add_certificate(ret_chain, &shown[i]);
	return r;
}

/* Get the octets that a selector chooses; the caller frees them. */
static int
get_selected(gnutls_x509_crt_t certificate, unsigned selector,
    gnutls_datum_t *ret_octets)
{
	gnutls_pubkey_t key;
	int code;

	if (selector == TLSA_SELECTOR_CERTIFICATE)
		return gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER,
		    ret_octets);
	if ((code = gnutls_pubkey_init(&key)) < 0)
		return code;
	if ((code = gnutls_pubkey_import_x509(key, certificate, 0)) >= 0)
		code =
		    gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, ret_octets);
	gnutls_pubkey_deinit(key);
	return code;
}

static bool
is_same(const struct tls_tlsa *record, const void *octets, size_t size_bytes)
{
	return size_bytes == record->size_bytes &&
	    memcmp(octets, record->data, size_bytes) == 0;
}

static bool
has_digest(const struct tls_tlsa *record, gnutls_digest_algorithm_t algorithm,
    const gnutls_datum_t *octets)
{
	unsigned char digest[64];

	return gnutls_hash_fast(algorithm, octets->data, octets->size,
		   digest) >= 0 &&
	    is_same(record, digest, gnutls_hash_get_len(algorithm));
}

/* Whether a record matches a certificate. */
static bool
is_of(const struct tls_tlsa *record, gnutls_x509_crt_t certificate)
{
	gnutls_datum_t octets;
	bool is_it = false;

	if (get_selected(certificate, record->selector, &octets) < 0)
		return false;
	switch (record->matching) {
	case TLSA_MATCHING_FULL:
		is_it = is_same(record, octets.data, octets.size);
		break;
	case TLSA_MATCHING_SHA256:
		is_it = has_digest(record, GNUTLS_DIG_SHA256, &octets);
		break;
	case TLSA_MATCHING_SHA512:
		is_it = has_digest(record, GNUTLS_DIG_SHA512, &octets);
		break;
	default:
		break;
	}
	gnutls_free(octets.data);
	return is_it;
}

static bool
matches_own(const struct tls_policy *policy, const struct chain *chain)
{
	for (size_t i = 0; i < policy->record_count; i++)
		if (policy->records[i].usage == TLSA_USAGE_DANE_EE &&
		    is_of(&policy->records[i], chain->certificates[0]))
			return true;
	return false;
}

static bool
is_anchor(const struct tls_policy *policy, gnutls_x509_crt_t certificate)
{
	for (size_t i = 0; i < policy->record_count; i++)
		if (policy->records[i].usage == TLSA_USAGE_DANE_TA &&
		    is_of(&policy->records[i], certificate))
			return true;
	return false;
}

/* Make a trust anchor of each certificate above the peer's own that a record
 * matches. The list gets a copy, because it frees its certificate when an equal
 * one is added. Return the number of anchors. */
static int
add_anchors(gnutls_x509_trust_list_t anchors, const struct tls_policy *policy,
    const struct chain *chain)
{
	gnutls_datum_t der;
	int count = 0;

	for (unsigned i = 1; i < chain->count; i++) {
		if (!is_anchor(policy, chain->certificates[i]) ||
		    gnutls_x509_crt_export2(chain->certificates[i],
			GNUTLS_X509_FMT_DER, &der) < 0)
			continue;
		if (gnutls_x509_trust_list_add_trust_mem(anchors, &der, NULL,
			GNUTLS_X509_FMT_DER, 0, 0) > 0)
			count++;
		gnutls_free(der.data);
	}
	return count;
}

/* Whether the certificate is for one of the peer's names (RFC 7672 section
 * 3.2.2). */
static bool
is_for_peer(gnutls_x509_crt_t certificate, const struct tls_policy *policy)
{
	for (size_t i = 0; i < TLS_NAMES_MAX; i++)
		if (policy->names[i] != NULL &&
		    gnutls_x509_crt_check_hostname(certificate,
			policy->names[i]) != 0)
			return true;
	return false;
}

static int
check_below(gnutls_x509_trust_list_t anchors, struct chain *chain,
    const struct tls_policy *policy, char ret_error[TLS_TEXT_SIZE])
{
	char purpose[] = GNUTLS_KP_TLS_WWW_SERVER;
	gnutls_typed_vdata_st data = {
		GNUTLS_DT_KEY_PURPOSE_OID,
		(unsigned char *)purpose,
		0,
	};
	unsigned status = 0;
	gnutls_datum_t text;

	if (gnutls_x509_trust_list_verify_crt2(anchors, chain->certificates,
		chain->count, &data, 1,
		GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM), &status,
		NULL) < 0)
		return -EKEYREJECTED;
	if (status != 0) {
		if (gnutls_certificate_verification_status_print(status,
			GNUTLS_CRT_X509, &text, 0) >= 0) {
			(void)strlcpy(ret_error, (const char *)text.data,
			    TLS_TEXT_SIZE);
			gnutls_free(text.data);
		}
		return -EKEYREJECTED;
	}
	if (!is_for_peer(chain->certificates[0], policy)) {
		(void)strlcpy(ret_error,
		    "the certificate below the trust anchor of a TLSA record "
		    "is for another host name",
		    TLS_TEXT_SIZE);
		return -EKEYREJECTED;
	}
	return 0;
}

/* Whether the chain leads to a certificate that a DANE-TA record matches. */
static int
verify_below_anchor(const struct tls_policy *policy, struct chain *chain,
    char ret_error[TLS_TEXT_SIZE])
{
	gnutls_x509_trust_list_t anchors;
	int r = -EKEYREJECTED;

	if (gnutls_x509_trust_list_init(&anchors, 0) < 0)
		return r;
	if (add_anchors(anchors, policy, chain) > 0)
		r = check_below(anchors, chain, policy, ret_error);
	gnutls_x509_trust_list_deinit(anchors, 1);
	return r;
}

int
tlsdane_verify(gnutls_session_t session, const struct tls_policy *policy,
    char ret_error[TLS_TEXT_SIZE])
{
	struct chain chain = { .count = 0 };
	int r = get_chain(session, &chain);

	(void)strlcpy(ret_error,
	    r < 0 ? "the host showed no readable certificate"
		  : "no certificate matches the TLSA records",
	    TLS_TEXT_SIZE);
	if (r == 0 && !matches_own(policy, &chain))
		r = verify_below_anchor(policy, &chain, ret_error);
	free_chain(&chain);
	return r;
}
