/* SPDX-License-Identifier: ISC */

#ifndef PEER_H
#define PEER_H

#include <sys/types.h>

#include <stdbool.h>

#define PEER_TEXT_SIZE 80

struct peer {
	bool is_local; /* promise P4: others get no service */
	bool is_gone; /* has hung up already: its address is unknown */
	uid_t uid; /* of a client of a UNIX socket, else 0 */
	char text[PEER_TEXT_SIZE]; /* "[127.0.0.1]", "[IPv6:::1]", "local" */
};

/* Identify the client at the other end of a descriptor. It is local only if it
 * is known to be on this host. */
void peer_identify(int fd, struct peer *ret_peer);

/* Promise P4: admit a local client, and log the refusal of any other. Returns
 * whether it is admitted. */
bool peer_admit(const struct peer *peer);

/* Whether both are the same client: an address, or a user of this host. */
bool peer_is_same(const struct peer *peer, const struct peer *other);

#endif
