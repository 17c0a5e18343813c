/* SPDX-License-Identifier: ISC */

#ifndef REQUIREMENT_H
#define REQUIREMENT_H

#include <stdbool.h>

#include "smtp-deliver/client/client.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/policy/requiretls.h"
#include "smtp-deliver/policy/stsfetch.h"
#include "smtp-deliver/policy/trust.h"
#include "smtp-deliver/route/route.h"
#include "smtp-deliver/verdict.h"

/* The sources of what is required of a destination's hosts. */
struct requirements {
	const struct route *route;
	struct stsfetch *stsfetch; /* finds the destination's MTA-STS policy */
	const struct credentials *credentials; /* for relays, or NULL */
	bool is_tls_optional; /* the messages put TLS policies aside:
			       * requirements_are_optional() */
	bool is_policy_taken; /* by requirements_take_policy() */
};

/* Whether a host may be used. */
enum requirement_result {
	REQUIREMENT_USABLE,
	REQUIREMENT_REFUSED, /* no: it rejected our credentials lately */
	REQUIREMENT_UNVOUCHED, /* no: nothing vouches for its name, as
				* REQUIRETLS asks for; final if it is so for all
				* hosts */
	REQUIREMENT_UNKNOWN, /* no: the policy that might vouch for its name is
			      * unavailable */
	REQUIREMENT_UNMET, /* the TLS policy forbids it, or is unavailable */
};

/* What is required of a host. */
struct requirement {
	enum requirement_result result;
	struct verdict verdict; /* why the host may not be used */
	struct trust trust; /* the TLS policy, if it may */
	bool is_named; /* by the MTA-STS policy, which holds for it */
	bool is_test_failed; /* a tested policy would forbid the host, */
	struct verdict tested; /* for that reason */
	const struct credential *credential; /* for the host, or NULL */
};

/* Whether TLS policies are put aside for the messages (RFC 8689 section 3).
 * What a relay or a route requires is not for a message to decide. */
static inline bool
requirements_are_optional(const struct requirements *requirements)
{
	return requirements->is_tls_optional &&
	    !requirements->route->is_relayed && !requirements->route->has_level;
}

/*
 * Decide what is required of a host before it gets a message. Asks the DNS, and
 * stsfetch the first time that the policy of the domain is of interest.
 *
 * is_requiretls	the message has REQUIRETLS.
 */
void requirements_find(struct requirements *requirements,
    const struct route_host *host, bool is_requiretls,
    struct requirement *ret_requirement);

/* Decide as if nothing were published for the host, and at most that level were
 * required: LEVEL_VERIFY or less, all of which do without TLS if the host has
 * none. */
void requirements_find_weaker(const struct requirements *requirements,
    const struct route_host *host, enum level level,
    struct requirement *ret_requirement);

/* Check whether the host's name meets REQUIRETLS; requirements_find() has done
 * that for a message with REQUIRETLS. ret_verdict says why if not. */
enum requiretls requirements_check_name(struct requirements *requirements,
    const struct route_host *host, struct verdict *ret_verdict);

/* Check whether the connection meets REQUIRETLS. ret_verdict says why if
 * not. */
enum requiretls requirements_check_client(const struct client *client,
    struct verdict *ret_verdict);

/* Find our credential for a host; NULL: none. Only relays get one. */
const struct credential *requirements_find_credential(
    const struct requirements *requirements, const struct route_host *host);

/* Return what was found out about the MTA-STS policy, the first time that there
 * is anything: to log or to print it. NULL otherwise. */
const struct stsfetch *requirements_take_policy(
    struct requirements *requirements);

#endif
