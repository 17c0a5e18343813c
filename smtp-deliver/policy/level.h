/* SPDX-License-Identifier: ISC */

#ifndef LEVEL_H
#define LEVEL_H

/* How much TLS is required of a host before it gets a message, the weakest
 * first. */
enum level {
	LEVEL_NONE, /* nothing: no TLS */
	LEVEL_VERIFY, /* if it has TLS, trust anchors must vouch for its name */
	LEVEL_STS, /* the same, and TLS is required (MTA-STS, RFC 8461) */
	LEVEL_DANE, /* TLS, and a match of TLSA records (RFC 7672) */
};

/* Its name in the audit trail: "none", "verify", "sts", "dane". */
const char *level_name(enum level level);

#endif
