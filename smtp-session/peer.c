/* SPDX-License-Identifier: ISC */

/*
 * peer.c - identify the client, and whether it is on this host.
 *
 * Loopback addresses and UNIX sockets are local, and so is what is no socket at
 * all: a pipe or a terminal has its other end on this host.
 */

#include "config.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/audit.h"
#include "lib/ip.h"
#include "smtp-session/peer.h"

#define PEER_LOCAL "local" /* without an address */

union any_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

static void
identify_in(const struct in_addr *address, struct peer *ret_peer)
{
	char ip[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, address, ip, sizeof(ip));
	(void)snprintf(ret_peer->text, sizeof(ret_peer->text), "[%s]", ip);
	ret_peer->is_local = is_loopback_ip4(address);
}

static void
identify_in6(const struct in6_addr *address, struct peer *ret_peer)
{
	char ip[INET6_ADDRSTRLEN];
	struct in_addr mapped;

	if (ip_unmap(address, &mapped)) {
		identify_in(&mapped, ret_peer);
		return;
	}
	inet_ntop(AF_INET6, address, ip, sizeof(ip));
	(void)snprintf(ret_peer->text, sizeof(ret_peer->text), "[IPv6:%s]", ip);
	ret_peer->is_local = is_loopback_ip6(address);
}

static void
identify_local(struct peer *ret_peer)
{
	ret_peer->is_local = true;
	(void)strlcpy(ret_peer->text, PEER_LOCAL, sizeof(ret_peer->text));
}

void
peer_identify(int fd, int netlink_fd, struct peer *ret_peer)
{
	union any_address address;
	socklen_t length = sizeof(address);

	*ret_peer = (struct peer){ .text = "unknown" };
	if (getpeername(fd, &address.any, &length) == -1) {
		ret_peer->is_gone = errno == ENOTCONN;
		if (errno == ENOTSOCK)
			identify_local(ret_peer);
		return;
	}
	switch (address.any.sa_family) {
	case AF_UNIX:
		identify_local(ret_peer);
		break;
	case AF_INET:
		identify_in(&address.in.sin_addr, ret_peer);
		break;
	case AF_INET6:
		identify_in6(&address.in6.sin6_addr, ret_peer);
		break;
	default:
		break;
	}
	if (ret_peer->is_local)
		submitter_identify(fd, netlink_fd, &ret_peer->submitter);
}

bool
peer_admit(const struct peer *peer)
{
	if (peer->is_local)
		return true;
	if (!peer->is_gone)
		audit_write(&(struct audit_record){
		    .event = AUDIT_PEER_REFUSED,
		    .peer = peer->text,
		    .submitter = &peer->submitter,
		    .reason = "not on this host",
		});
	return false;
}

bool
peer_is_same(const struct peer *peer, const struct peer *other)
{
	/* An unknown one has the uid 0, too. */
	return peer->submitter.is_known == other->submitter.is_known &&
	    peer->submitter.uid == other->submitter.uid;
}
