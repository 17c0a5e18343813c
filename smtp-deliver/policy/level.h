/* SPDX-License-Identifier: ISC */

#ifndef LEVEL_H
#define LEVEL_H

/* How much TLS is required of a host before it gets a message, the weakest
 * first. */
enum level {
	LEVEL_NONE, /* no TLS */
	LEVEL_VERIFY, /* opportunistic; with TLS, a trust anchor must vouch for
		       * the host's name */
	LEVEL_STS, /* TLS is required as well (MTA-STS, RFC 8461) */
	LEVEL_DANE, /* TLS with a certificate that matches the host's TLSA
		     * records (RFC 7672) */
};

/* The level's name in the audit trail: "none", "verify", "sts", "dane". */
const char *level_name(enum level level);

#endif
