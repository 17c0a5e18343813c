/* SPDX-License-Identifier: ISC */

#ifndef REQUIRETLS_H
#define REQUIRETLS_H

#include "smtp-deliver/client/client.h"
#include "smtp-deliver/route/route.h"
#include "smtp-deliver/policy/sts.h"
#include "smtp-deliver/verdict.h"

/*
 * Whether a message that was given to us with REQUIRETLS may go to a host of a
 * route (RFC 8689 section 4.2.1): first, whether nobody can have forged the
 * host's name; then, when there is a connection, whether that has TLS, for
 * which certificates verify here in any case, and the host offers REQUIRETLS.
 *
 * policy	the MTA-STS policy of the domain; NULL: there can be none.
 *
 * Return 0, or -EPROTONOSUPPORT with ret_verdict telling what is lacking: that
 * is final where no host of a route has it. Or -EAGAIN if the policy, which may
 * vouch for the name, could not be had.
 */
int requiretls_check_name(const struct route_host *host,
    const struct sts_policy *policy, struct verdict *ret_verdict);
int requiretls_check_client(const struct client *client,
    struct verdict *ret_verdict);

#endif
