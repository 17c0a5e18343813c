/* SPDX-License-Identifier: ISC */

#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>

#include "lib/spool/attempts.h"
#include "lib/tls.h"

#define VERDICT_HOST_SIZE 320
#define VERDICT_TLS_SIZE 144
#define VERDICT_TEXT_SIZE 512
#define VERDICT_POLICY_SIZE 16

/* What became of a recipient, and who said so. */
struct verdict {
	enum outcome outcome;
	unsigned char is_told_on; /* delivered, with what its sender wants to be
				   * told of: the host offers DSN */
	unsigned char is_signed; /* the host got the message with a signature */
	/* A relay does not want us, or we not it: for a person to look after. */
	unsigned char is_auth_trouble;
	char status[ATTEMPT_STATUS_SIZE]; /* RFC 3463 */
	char host[VERDICT_HOST_SIZE]; /* "mx.example.org[192.0.2.1]", or "" */
	char tls[VERDICT_TLS_SIZE]; /* protocol and cipher, or "" */
	char policy[VERDICT_POLICY_SIZE]; /* that held for it, or "" */
	char fingerprint[TLS_FINGERPRINT_SIZE]; /* its certificate's, or "" */
	char reply[VERDICT_TEXT_SIZE]; /* the host's own words, or "" */
	char reason[VERDICT_TEXT_SIZE]; /* ours, or "" */
};

/* A verdict of our own: no host has said anything. */
void verdict_set(struct verdict *verdict, enum outcome outcome,
    const char *status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Whether a host has said yes. */
static inline bool
verdict_is_good(const struct verdict *verdict)
{
	return verdict->outcome == OUTCOME_DELIVERED;
}

/* Whether octets that somebody else has put together are a verdict: an outcome
 * of an attempt, a status of digits and dots, texts that have an end. */
bool verdict_is_valid(const struct verdict *verdict);

#endif
