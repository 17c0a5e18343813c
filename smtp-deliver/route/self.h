/* SPDX-License-Identifier: ISC */

#ifndef SELF_H
#define SELF_H

#include <netdb.h>
#include <stdbool.h>

#include "smtp-deliver/settings.h"

/* Whether a host of a route has our SMTP_HOSTNAME. */
bool self_has_name(const struct deliver_settings *settings, const char *host);

/* Whether one of the addresses leads to this host: its own, a loopback address,
 * or the unspecified one. */
bool self_has_address(const struct addrinfo *addresses);

#endif
