/* SPDX-License-Identifier: ISC */

#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdbool.h>

#include "smtp-deliver/settings.h"
#include "lib/spool/spool.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/route/rules.h"

/*
 * Print how mail to addresses would be delivered: the route, its hosts, what is
 * required of them, and what they say up to where a message could be sent.
 * Sends none.
 *
 * addresses	of recipients, without brackets; ends with NULL.
 * sender	of the mail; NULL: one that no rule matches.
 * spool	where policies of domains are kept; NULL: they are fetched.
 * credentials	for relays; NULL: none.
 *
 * Returns whether each address has a host that takes mail.
 */
bool explain_addresses(char *const addresses[], const char *sender,
    struct spool *spool, const struct deliver_settings *settings,
    const struct rules *rules, struct credentials *credentials);

#endif
