/* SPDX-License-Identifier: ISC */

#ifndef PEER_H
#define PEER_H

#include <stdbool.h>

#include "lib/submitter.h"

#define PEER_TEXT_SIZE 80

struct peer {
	bool is_local; /* promise P4: others get no service */
	bool is_gone; /* has hung up already: its address is unknown */
	struct submitter submitter; /* of a local one, if it is known */
	char text[PEER_TEXT_SIZE]; /* "[127.0.0.1]", "[IPv6:::1]", "local" */
};

/* Identify the client at the other end of a descriptor. It is local only if it
 * is known to be on this host. netlink_fd is as in submitter_identify(). Its
 * unit is found by submitter_find_unit(), which may take longer. */
void peer_identify(int fd, int netlink_fd, struct peer *ret_peer);

/* Promise P4: admit a local client, and log the refusal of any other. Returns
 * whether it is admitted. */
bool peer_admit(const struct peer *peer);

/* Whether both are the same client: a user of this host, over any socket. All
 * clients of unknown users count as one. */
bool peer_is_same(const struct peer *peer, const struct peer *other);

#endif
