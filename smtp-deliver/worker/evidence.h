/* SPDX-License-Identifier: ISC */

#ifndef EVIDENCE_H
#define EVIDENCE_H

#include <stdbool.h>

#include "smtp-deliver/route/route.h"
#include "smtp-deliver/verdict.h"
#include "smtp-deliver/worker/channel.h"

/* What the hosts of a route have done so far about one message. */
struct evidence {
	int host_count; /* that may take mail: have addresses, or may */
	bool was_dns_trouble; /* the DNS did not answer for one of them, */
	bool was_other_family; /* or SMTP_IP_FAMILY rules its addresses out */
	bool was_any_address; /* one has an address that could be tried, */
	bool was_withheld; /* and was not: its requirements forbade it */
	unsigned failures; /* to connect, of enum connect_failure */
	bool was_reached; /* one accepted a connection, */
	bool was_offered; /* and the message was offered to it */
	bool was_crowded; /* the last one deferred MAIL, or said 421 or 432,
			   * over a new connection */
	int lack_count; /* hosts that lack what the message needs, such as
			 * REQUIRETLS or 8BITMIME: nothing else is wrong with
			 * them */
	struct verdict lack; /* of the last of these */
};

/* How far the message got: what that says about the destination. */
enum reach evidence_get_reach(const struct evidence *evidence);

/* The verdict if no host of the route has an address. */
void evidence_set_unreachable(const struct evidence *evidence,
    const struct route *route, struct verdict *ret_verdict);

#endif
