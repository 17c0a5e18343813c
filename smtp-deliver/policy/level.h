/* SPDX-License-Identifier: ISC */

#ifndef LEVEL_H
#define LEVEL_H

#include <stddef.h>

#include "lib/tls.h"

/* How much TLS is required of a host before it gets a message, the weakest
 * first. */
enum level {
	LEVEL_NONE, /* no TLS */
	LEVEL_MAY, /* opportunistic; the certificate is not checked */
	LEVEL_ENCRYPT, /* TLS is required; the certificate is not checked */
	LEVEL_FINGERPRINT, /* TLS with a certificate that the administrator
			    * has pinned */
	LEVEL_VERIFY, /* opportunistic; with TLS, a trust anchor must vouch for
		       * the host's name */
	LEVEL_STS, /* TLS is required as well (MTA-STS, RFC 8461) */
	LEVEL_DANE, /* TLS with a certificate that matches the host's TLSA
		     * records (RFC 7672) */
};

#define LEVELS (LEVEL_DANE + 1)

/* Certificates for LEVEL_FINGERPRINT: one of these fingerprints must match. */
#define LEVEL_PINS_MAX 2
struct level_pins {
	size_t count;
	char sha256[LEVEL_PINS_MAX][TLS_FINGERPRINT_SIZE];
};

/* The level's name in the audit trail and in routes: "none", "may", "encrypt",
 * "fingerprint", "verify", "sts", "dane". */
const char *level_name(enum level level);

#endif
