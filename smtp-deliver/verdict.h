/* SPDX-License-Identifier: ISC */

#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>

#include "lib/audit.h"
#include "lib/spool/attempts.h"
#include "lib/tls.h"

#define VERDICT_HOST_SIZE 320
#define VERDICT_TLS_SIZE 144
#define VERDICT_TEXT_SIZE 512
#define VERDICT_POLICY_SIZE 16

/*
 * What became of a recipient, and why. Workers send it over a socket, so it may
 * have any octets until verdict_is_valid() has looked at it: that is why flags
 * are of type unsigned char, not bool.
 */
struct verdict {
	enum outcome outcome;
	unsigned char is_told_on; /* the host offers DSN and got the sender's
				   * requests for it */
	unsigned char is_signed; /* the host got the message with a signature */
	/* Authentication failed or our rules forbid it: an administrator must
	 * act. */
	unsigned char is_auth_trouble;
	unsigned char is_requiretls; /* the host got it with REQUIRETLS */
	unsigned char is_common; /* of all that a transaction still had */
	char status[ATTEMPT_STATUS_SIZE]; /* RFC 3463 */
	char host[VERDICT_HOST_SIZE]; /* "mx.example.org[192.0.2.1]", or "" */
	char tls[VERDICT_TLS_SIZE]; /* protocol and cipher, or "" */
	char policy[VERDICT_POLICY_SIZE]; /* for TLS, or "" */
	char fingerprint[TLS_FINGERPRINT_SIZE]; /* of its certificate, or "" */
	char reply[VERDICT_TEXT_SIZE]; /* of the host, or "" */
	char reason[VERDICT_TEXT_SIZE]; /* in our words, or "" */
};

/* Set a verdict of our own, without a reply. */
void verdict_set(struct verdict *verdict, enum outcome outcome,
    const char *status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Make a verdict that a reply gave temporary: it is not about the recipient. */
void verdict_defer(struct verdict *verdict);

/* Whether the recipient is delivered. */
static inline bool
verdict_is_good(const struct verdict *verdict)
{
	return verdict->outcome == OUTCOME_DELIVERED;
}

/* Whether octets from another process are a verdict: an outcome other than
 * none, a status of digits and dots, texts that end in a NUL. */
bool verdict_is_valid(const struct verdict *verdict);

/* Fill in host, policy, fingerprint, status, reply and reason of a record,
 * which must not outlive the verdict. */
void verdict_fill_record(const struct verdict *verdict,
    struct audit_record *record);

#endif
