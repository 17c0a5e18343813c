/* SPDX-License-Identifier: ISC */

#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdbool.h>

#include "smtp-deliver/settings.h"
#include "lib/spool/spool.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/route/rules.h"

/*
 * Print how mail to addresses would go: route, hosts, what is asked of them,
 * and what they say up to where a message could be sent. Sends none.
 *
 * addresses	of recipients, without brackets; ends with NULL.
 * sender	who it is from, or NULL: somebody whom no rule is about.
 * spool	where policies of domains are kept, or NULL: they are fetched.
 * credentials	who we are for relays; NULL: nobody.
 *
 * Returns whether each of them has a host that takes mail.
 */
bool explain_addresses(char *const addresses[], const char *sender,
    struct spool *spool, const struct deliver_settings *settings,
    const struct rules *rules, struct credentials *credentials);

#endif
