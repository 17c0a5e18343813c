/* SPDX-License-Identifier: ISC */

/*
 * evidence.c - what the behaviour of a route's hosts says about the
 * destination.
 *
 * Collected by delivery.c while it tries them; judged here.
 */

#include "config.h"

#include "smtp-deliver/client/connect.h"
#include "smtp-deliver/net/network.h"
#include "smtp-deliver/worker/evidence.h"

enum reach
evidence_get_reach(const struct evidence *evidence)
{
	if (evidence->was_crowded)
		return REACH_CROWDED;
	if (evidence->was_offered ||
	    (evidence->was_reached && evidence->lack_count > 0))
		return REACH_HOST;
	if (!evidence->was_any_address && evidence->was_dns_trouble)
		return network_has_resolver() ? REACH_NOWHERE
					      : REACH_NO_RESOLVER;
	if (!evidence->was_any_address || evidence->lack_count > 0)
		return REACH_NOWHERE;
	if (evidence->was_reached || evidence->was_withheld ||
	    (evidence->failures & CONNECT_FAILED_HERE) != 0)
		return REACH_UNUSABLE;
	/* With a route to any network, a missing one is the host's: it has IPv6
	 * only, for example, and we have IPv4 only. */
	if (evidence->failures == CONNECT_FAILED_ROUTE &&
	    !network_has_any_route())
		return REACH_NO_ROUTE;
	return REACH_NO_HOST;
}

void
evidence_set_unreachable(const struct evidence *evidence,
    const struct route *route, struct verdict *ret_verdict)
{
	if (evidence->was_other_family)
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.4",
		    "no host for the domain has an address that "
		    "SMTP_IP_FAMILY allows");
	else if (evidence->was_dns_trouble)
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.3",
		    "the DNS gave no address of a host for the domain");
	else if (route->is_relayed)
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.4",
		    "no relay has an address");
	else if (route->is_loop)
		route_set_loop(ret_verdict);
	else
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.4.4",
		    "no host for the domain has an address%s%s",
		    *route->refused != '\0' ? " that mail may go to: " : "",
		    route->refused);
}
