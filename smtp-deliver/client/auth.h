/* SPDX-License-Identifier: ISC */

#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>

#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/client/dialogue.h"
#include "smtp-deliver/verdict.h"

/* Parse the mechanisms that follow AUTH in a host's reply to EHLO. Returns bits
 * of enum credential_mechanism. */
unsigned auth_parse_offer(const char *text);

/*
 * Authenticate to a relay (RFC 4954) by the strongest mechanism that the host
 * offers and the credential allows; if it fails, no other is tried. The
 * connection must have TLS with a verified certificate.
 *
 * Returns DIALOGUE_OK, DIALOGUE_REFUSED or DIALOGUE_LOST. ret_verdict says why;
 * its is_auth_trouble is set if an administrator must act.
 */
enum dialogue_result auth_run(const struct dialogue *dialogue,
    const struct credential *credential, unsigned offered,
    struct verdict *ret_verdict);

/*
 * Make a verdict of a transaction a deferral if the host's reply requires
 * authentication (530, RFC 4954 section 6) or rejects ours: that does not
 * concern the recipients. Returns whether the reply does so.
 */
bool auth_judge(struct verdict *verdict);

#endif
