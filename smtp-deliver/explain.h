/* SPDX-License-Identifier: ISC */

#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdbool.h>

#include "lib/settings.h"

/*
 * Print how mail to addresses would go: route, hosts, what is asked of them,
 * and what they say up to where a message could be sent. Sends none, and needs
 * no spool. A wall is closed meanwhile: nothing but this can be done afterwards.
 *
 * addresses	of recipients, without brackets; ends with NULL.
 *
 * Returns whether each of them has a host that takes mail.
 */
bool explain_addresses(char *const addresses[],
    const struct settings *settings);

#endif
