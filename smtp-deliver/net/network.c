/* SPDX-License-Identifier: ISC */

/*
 * network.c - whether there is a network to deliver over.
 *
 * connect(2) of a UDP socket sends nothing, and fails where there is no route.
 */

#include "config.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/ip.h"
#include "smtp-deliver/net/network.h"

/* Addresses of documentation networks (RFC 5737, RFC 3849): only a default
 * route leads there. */
#define ANY_IP4 "198.51.100.1"
#define ANY_IP6 "2001:db8:ffff::1"

union any_address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

/* Connect a UDP socket to an address. Returns it or a negative errno. */
static int
open_socket(const struct sockaddr *address, socklen_t length)
{
	int fd = socket(address->sa_family,
	    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = 0;

	if (fd == -1)
		return -errno;
	if (connect(fd, address, length) == -1) {
		r = -errno;
		close(fd);
	}
	return r < 0 ? r : fd;
}

static bool
is_want_of_route(int error)
{
	return error == -ENETUNREACH || error == -EHOSTUNREACH ||
	    error == -ENETDOWN || error == -EADDRNOTAVAIL ||
	    error == -EAFNOSUPPORT;
}

bool
network_has_route(const struct sockaddr *address, socklen_t length)
{
	int fd = open_socket(address, length);

	if (fd < 0)
		return !is_want_of_route(fd);
	close(fd);
	return true;
}

bool
network_has_any_route(void)
{
	struct sockaddr_in ip4 = { .sin_family = AF_INET, .sin_port = 1 };
	struct sockaddr_in6 ip6 = { .sin6_family = AF_INET6, .sin6_port = 1 };

	(void)inet_pton(AF_INET, ANY_IP4, &ip4.sin_addr);
	(void)inet_pton(AF_INET6, ANY_IP6, &ip6.sin6_addr);
	return network_has_route((const struct sockaddr *)&ip4, sizeof(ip4)) ||
	    network_has_route((const struct sockaddr *)&ip6, sizeof(ip6));
}

/* ---- the resolver ---- */

/* Get a nameserver's address from glibc. Returns its length. */
static socklen_t
get_server(const struct __res_state *state, int number,
    union any_address *ret_address)
{
	const struct sockaddr_in6 *ip6 = state->_u._ext.nsaddrs[number];

	if (state->nsaddr_list[number].sin_family == AF_INET) {
		ret_address->ip4 = state->nsaddr_list[number];
		return sizeof(ret_address->ip4);
	}
	if (ip6 == NULL)
		return 0;
	ret_address->ip6 = *ip6;
	return sizeof(ret_address->ip6);
}

static bool
is_on_this_host(const union any_address *address)
{
	return address->any.sa_family == AF_INET
	    ? is_loopback_ip4(&address->ip4.sin_addr)
	    : is_loopback_ip6(&address->ip6.sin6_addr);
}

/* Ask for the nameservers of the root, in one packet (RFC 1035 section 4.1). */
static bool
ask(int fd, uint16_t id)
{
	const unsigned char question[] = { (unsigned char)(id >> 8),
		(unsigned char)id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, ns_t_ns,
		0, ns_c_in };

	return send(fd, question, sizeof(question), MSG_NOSIGNAL) ==
	    sizeof(question);
}

static bool
has_answer(int fd, uint16_t id)
{
	unsigned char answer[NS_PACKETSZ];

	return recv(fd, answer, sizeof(answer), 0) >= NS_HFIXEDSZ &&
	    answer[0] == id >> 8 && answer[1] == (id & 0xff);
}

/* Wait until a nameserver answers, or none can any more. */
static bool
await_answer(struct pollfd *pfds, nfds_t count, uint16_t id, int seconds)
{
	int64_t until_mono_ms = clock_mono_ms() + (int64_t)seconds * 1000,
		left_ms;
	nfds_t open = count;

	while (open > 0 && (left_ms = until_mono_ms - clock_mono_ms()) > 0) {
		if (poll(pfds, count, (int)left_ms) <= 0)
			continue;
		for (nfds_t i = 0; i < count; i++) {
			if (pfds[i].fd < 0 || pfds[i].revents == 0)
				continue;
			if (has_answer(pfds[i].fd, id))
				return true;
			if (errno == EAGAIN)
				continue;
			/* It refuses. */
			pfds[i].events = 0;
			close(pfds[i].fd);
			pfds[i].fd = -1;
			open--;
		}
	}
	return false;
}

/* Ask all nameservers that may have an answer. */
static nfds_t
ask_servers(const struct __res_state *state, uint16_t id,
    struct pollfd ret_pfds[MAXNS])
{
	bool has_nexthop = network_has_any_route();
	union any_address address;
	nfds_t count = 0;

	for (int i = 0; i < state->nscount; i++) {
		socklen_t length = get_server(state, i, &address);
		int fd;

		if (length == 0 ||
		    (is_on_this_host(&address) && !has_nexthop) ||
		    (fd = open_socket(&address.any, length)) < 0)
			continue;
		if (ask(fd, id))
			ret_pfds[count++] =
			    (struct pollfd){ .fd = fd, .events = POLLIN };
		else
			close(fd);
	}
	return count;
}

bool
network_has_resolver(void)
{
	struct __res_state state = { .options = 0 };
	struct pollfd pfds[MAXNS];
	uint16_t id = (uint16_t)arc4random();
	bool is_there;
	nfds_t count;

	if (res_ninit(&state) == -1)
		return true;
	count = ask_servers(&state, id, pfds);
	is_there = await_answer(pfds, count, id, state.retrans);
	for (nfds_t i = 0; i < count; i++)
		if (pfds[i].fd >= 0)
			close(pfds[i].fd);
	res_nclose(&state);
	return is_there;
}
