/* SPDX-License-Identifier: ISC */

/*
 * self.c - whether a host is this one (RFC 5321 section 5.1).
 *
 * The kernel knows: the source address for packets to one of its own addresses
 * is that address. Nothing is sent to find out. Listing the addresses would
 * need a socket that a worker's sandbox does not allow.
 */

#include "config.h"

#include <sys/socket.h>

#include <netinet/in.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/ip.h"
#include "smtp-deliver/route/self.h"

bool
self_has_name(const struct deliver_settings *settings, const char *host)
{
	return strcasecmp(settings->hostname, host) == 0;
}

/* A connection to the unspecified address reaches this host as well. */
static bool
is_internal_ip4(const struct in_addr *ip4)
{
	return ip4->s_addr == htonl(INADDR_ANY) || is_loopback_ip4(ip4);
}

static bool
is_internal_ip6(const struct in6_addr *ip6)
{
	struct in_addr ip4;

	return ip_unmap(ip6, &ip4)
	    ? is_internal_ip4(&ip4)
	    : IN6_IS_ADDR_UNSPECIFIED(ip6) || is_loopback_ip6(ip6);
}

union any_address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
	struct sockaddr_storage storage;
};

static bool
is_internal(const union any_address *address)
{
	return address->any.sa_family == AF_INET
	    ? is_internal_ip4(&address->ip4.sin_addr)
	    : is_internal_ip6(&address->ip6.sin6_addr);
}

/* Whether a socket connected to an address has the same local address. */
static bool
is_own(const union any_address *address, socklen_t length)
{
	int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union any_address own = { .any = { .sa_family = AF_UNSPEC } };
	socklen_t own_length = sizeof(own);
	bool is_known;

	if (fd == -1)
		return false;
	is_known = connect(fd, &address->any, length) == 0 &&
	    getsockname(fd, &own.any, &own_length) == 0 &&
	    own.any.sa_family == address->any.sa_family;
	close(fd);
	if (!is_known)
		return false;
	return own.any.sa_family == AF_INET
	    ? own.ip4.sin_addr.s_addr == address->ip4.sin_addr.s_addr
	    : IN6_ARE_ADDR_EQUAL(&own.ip6.sin6_addr, &address->ip6.sin6_addr);
}

bool
self_has_address(const struct addrinfo *addresses)
{
	for (; addresses != NULL; addresses = addresses->ai_next) {
		union any_address address = { .any = { .sa_family = 0 } };

		memcpy(&address, addresses->ai_addr, addresses->ai_addrlen);
		if (is_internal(&address) ||
		    is_own(&address, addresses->ai_addrlen))
			return true;
	}
	return false;
}
