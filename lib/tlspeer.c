/* SPDX-License-Identifier: ISC */

/*
 * tlspeer.c - verify a server's certificate with trust anchors (RFC 5280, RFC
 * 6125), and the strength of a session (RFC 9325).
 *
 * Also linked into the module that fetches MTA-STS policies: libcurl does the
 * handshake there and asks for less.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "lib/tlspeer.h"

#define NAME_SIZE 1024 /* of an alternative name */

/* Get the server's own certificate. The caller frees it after a 0. */
static int
get_certificate(gnutls_session_t session, gnutls_x509_crt_t *ret_certificate,
    char ret_error[TLS_TEXT_SIZE])
{
	unsigned count = 0;
	const gnutls_datum_t *shown =
	    gnutls_certificate_get_peers(session, &count);

	(void)strlcpy(ret_error, "the host showed no readable certificate",
	    TLS_TEXT_SIZE);
	if (shown == NULL || count == 0 ||
	    gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) !=
		GNUTLS_CRT_X509 ||
	    gnutls_x509_crt_init(ret_certificate) < 0)
		return -EKEYREJECTED;
	if (gnutls_x509_crt_import(*ret_certificate, shown,
		GNUTLS_X509_FMT_DER) >= 0)
		return 0;
	gnutls_x509_crt_deinit(*ret_certificate);
	return -EKEYREJECTED;
}

static int
check_key(gnutls_x509_crt_t certificate, char ret_error[TLS_TEXT_SIZE])
{
	unsigned bits = 0;
	int algorithm = gnutls_x509_crt_get_pk_algorithm(certificate, &bits);

	if (algorithm >= 0 &&
	    gnutls_pk_bits_to_sec_param((gnutls_pk_algorithm_t)algorithm,
		bits) >= GNUTLS_SEC_PARAM_MEDIUM)
		return 0;
	(void)snprintf(ret_error, TLS_TEXT_SIZE,
	    "the certificate's %s key has %u bits, which is too few",
	    algorithm < 0
		? "unknown"
		: gnutls_pk_get_name((gnutls_pk_algorithm_t)algorithm),
	    bits);
	return -EKEYREJECTED;
}

int
tlspeer_check_strength(gnutls_session_t session, char ret_error[TLS_TEXT_SIZE])
{
	gnutls_x509_crt_t certificate;
	int r;

	if (gnutls_kx_get(session) == GNUTLS_KX_RSA ||
	    gnutls_mac_get(session) == GNUTLS_MAC_SHA1) {
		(void)snprintf(ret_error, TLS_TEXT_SIZE,
		    "the cipher suite is too weak: %s, %s, %s",
		    gnutls_kx_get_name(gnutls_kx_get(session)),
		    gnutls_cipher_get_name(gnutls_cipher_get(session)),
		    gnutls_mac_get_name(gnutls_mac_get(session)));
		return -EKEYREJECTED;
	}
	if ((r = get_certificate(session, &certificate, ret_error)) < 0)
		return r;
	r = check_key(certificate, ret_error);
	gnutls_x509_crt_deinit(certificate);
	return r;
}

/* Whether the certificate has an alternative name that is a host's. Where it
 * has one, GnuTLS ignores the common name. */
static bool
has_alternative_name(gnutls_x509_crt_t certificate)
{
	char name[NAME_SIZE];

	for (unsigned i = 0;; i++) {
		size_t size = sizeof(name);
		unsigned type = 0;
		int code = gnutls_x509_crt_get_subject_alt_name2(certificate, i,
		    name, &size, &type, NULL);

		if (code < 0 && code != GNUTLS_E_SHORT_MEMORY_BUFFER)
			return false;
		if (code == GNUTLS_SAN_DNSNAME)
			return true;
	}
}

static int
check_alternative_name(gnutls_session_t session, char ret_error[TLS_TEXT_SIZE])
{
	gnutls_x509_crt_t certificate;
	int r = get_certificate(session, &certificate, ret_error);

	if (r < 0)
		return r;
	if (!has_alternative_name(certificate)) {
		(void)strlcpy(ret_error,
		    "the certificate has no alternative name, which an MTA-STS "
		    "policy requires",
		    TLS_TEXT_SIZE);
		r = -EKEYREJECTED;
	}
	gnutls_x509_crt_deinit(certificate);
	return r;
}

/* Say why GnuTLS does not accept a certificate. */
static void
explain(unsigned status, char ret_error[TLS_TEXT_SIZE])
{
	gnutls_datum_t text;

	(void)strlcpy(ret_error, "certificate does not verify", TLS_TEXT_SIZE);
	if (gnutls_certificate_verification_status_print(status,
		GNUTLS_CRT_X509, &text, 0) < 0)
		return;
	(void)strlcpy(ret_error, (const char *)text.data, TLS_TEXT_SIZE);
	gnutls_free(text.data);
}

int
tlspeer_verify_name(gnutls_session_t session, const char *host,
    bool is_san_required, char ret_error[TLS_TEXT_SIZE])
{
	char name[NAME_SIZE], purpose[] = GNUTLS_KP_TLS_WWW_SERVER;
	gnutls_typed_vdata_st data[] = {
		{ GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)name, 0 },
		{ GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)purpose, 0 },
	};
	unsigned status = 0;

	if (strlcpy(name, host, sizeof(name)) >= sizeof(name) ||
	    gnutls_certificate_verify_peers(session, data, 2, &status) < 0)
		status = GNUTLS_CERT_INVALID;
	if (status != 0) {
		explain(status, ret_error);
		return -EKEYREJECTED;
	}
	return is_san_required ? check_alternative_name(session, ret_error) : 0;
}
