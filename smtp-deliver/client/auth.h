/* SPDX-License-Identifier: ISC */

#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>

#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/client/dialogue.h"
#include "smtp-deliver/verdict.h"

/* The mechanisms that a host offers, which stand behind AUTH in its reply to
 * EHLO: those of enum credential_mechanism. */
unsigned auth_parse_offer(const char *text);

/*
 * Authenticate to a relay (RFC 4954): by the strongest mechanism that is
 * offered and that the credential allows, and by no other if that fails. The
 * caller has seen to it that there is TLS, and that the relay's certificate has
 * verified.
 *
 * Returns 0, -EHOSTUNREACH if the host refuses us, or another negative errno if
 * the connection is of no more use; then ret_verdict tells why. If a person has
 * to look after it, is_auth_trouble is set.
 */
int auth_run(const struct dialogue *dialogue,
    const struct credential *credential, unsigned offered,
    struct verdict *ret_verdict);

/*
 * A relay may say only in a transaction that it wants to know who we are (530,
 * RFC 4954 section 6), or that it does not like how it knows: that is not about
 * the recipients, who are deferred. Returns whether it was so.
 */
bool auth_judge(struct verdict *verdict);

#endif
