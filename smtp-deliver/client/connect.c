/* SPDX-License-Identifier: ISC */

/*
 * connect.c - connections to remote hosts (RFC 8305, "Happy Eyeballs").
 *
 * Some addresses of a host may not answer, often all of one family. So the next
 * address is tried while the earlier ones have not answered, and the first to
 * answer is used.
 */

#include "config.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "smtp-deliver/client/connect.h"
#include "smtp-deliver/net/network.h"

#define CONNECT_SEC 30
#define NEXT_MS 250 /* RFC 8305 section 5 */
#define WHAT_SIZE 96

/* ---- the order of addresses ---------------------------------------------- */

/* Find the first address of the family, or, without is_same, of another family.
 * Returns NULL if there is none. */
static const struct addrinfo *
find_address(const struct addrinfo *address, int family, bool is_same)
{
	while (address != NULL && (address->ai_family == family) != is_same)
		address = address->ai_next;
	return address;
}

/* The family to begin with. */
static int
first_family(enum ip_family choice, const struct addrinfo *addresses)
{
	switch (choice) {
	case IP_V4:
	case IP_PREFER_V4:
		return AF_INET;
	case IP_V6:
	case IP_PREFER_V6:
		return AF_INET6;
	default:
		return addresses->ai_family;
	}
}

/* The addresses of a family keep their order; the families take turns (RFC 8305
 * section 4). */
void
connect_begin(const struct addrinfo *addresses,
    const struct deliver_settings *settings, struct connect *ret_connect)
{
	enum ip_family choice = settings->ip_family;
	int family = first_family(choice, addresses);
	const struct addrinfo *next[2] = {
		find_address(addresses, family, true),
		choice == IP_V4 || choice == IP_V6
		    ? NULL
		    : find_address(addresses, family, false),
	};

	ret_connect->settings = settings;
	ret_connect->count = 0;
	ret_connect->next_mono_ms = 0;
	ret_connect->failures = 0;
	for (size_t turn = 0; (next[0] != NULL || next[1] != NULL) &&
	     ret_connect->count < CONNECT_ADDRESSES_MAX;
	     turn = 1 - turn) {
		if (next[turn] == NULL)
			continue;
		ret_connect->attempts[ret_connect->count++] =
		    (struct connect_attempt){
			    .address = next[turn],
			    .state = CONNECT_WAITING,
			    .fd = -1,
		    };
		next[turn] =
		    find_address(next[turn]->ai_next, family, turn == 0);
	}
}

/* ---- one attempt --------------------------------------------------------- */

/* Bind a socket to SMTP_BIND_ADDRESS, if that has an address of the family.
 * Returns 0, or a negative errno with ret_what saying what failed. */
static int
bind_socket(const struct deliver_settings *settings, int fd, int family,
    char ret_what[WHAT_SIZE])
{
	const struct sockaddr_in *ip4 = &settings->bind_ip4;
	const struct sockaddr_in6 *ip6 = &settings->bind_ip6;
	bool is_ip4 = family == AF_INET;
	const void *ip = is_ip4 ? (const void *)&ip4->sin_addr
				: (const void *)&ip6->sin6_addr;
	char text[INET6_ADDRSTRLEN] = "";
	int on = 1, r;

	if ((is_ip4 ? ip4->sin_family : ip6->sin6_family) != family)
		return 0;
	/* connect(2) chooses the port: connections to different hosts can share
	 * one. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof(on));
	r = is_ip4 ? bind(fd, (const struct sockaddr *)ip4, sizeof(*ip4))
		   : bind(fd, (const struct sockaddr *)ip6, sizeof(*ip6));
	if (r == 0)
		return 0;
	r = -errno;
	(void)inet_ntop(family, ip, text, sizeof(text));
	(void)snprintf(ret_what, WHAT_SIZE,
	    "no connection from SMTP_BIND_ADDRESS %s", text);
	return r;
}

/* Make a socket and begin to connect it. Returns the socket, or a negative
 * errno with ret_what saying what failed. */
static int
begin_connection(const struct deliver_settings *settings,
    const struct addrinfo *address, char ret_what[WHAT_SIZE])
{
	int fd = socket(address->ai_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, r;

	(void)strlcpy(ret_what, "no connection", WHAT_SIZE);
	if (fd == -1)
		return -errno;
	/* The stream collects output: Nagle's algorithm would only delay it. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r = bind_socket(settings, fd, address->ai_family, ret_what);
	if (r == 0 &&
	    connect(fd, address->ai_addr, address->ai_addrlen) == -1 &&
	    errno != EINPROGRESS)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static void
stop_attempt(struct connect_attempt *attempt)
{
	if (attempt->fd >= 0)
		close(attempt->fd);
	attempt->fd = -1;
}

/* The cause of an error: the route, the remote host, or this host, which may
 * have run out of something. */
static enum connect_failure
failure_of(int error, const struct addrinfo *address)
{
	switch (-error) {
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENETUNREACH:
		if (!network_has_route(address->ai_addr, address->ai_addrlen))
			return CONNECT_FAILED_ROUTE;
		break;
	default:
		break;
	}
	switch (-error) {
	case ECONNREFUSED:
	case ECONNRESET:
	case EHOSTDOWN:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ETIMEDOUT:
		return CONNECT_FAILED_THERE;
	default:
		return CONNECT_FAILED_HERE;
	}
}

static void
fail_attempt(struct connect *connect, struct connect_attempt *attempt,
    const char *what, int error)
{
	stop_attempt(attempt);
	attempt->state = CONNECT_FAILED;
	connect->failures |= failure_of(error, attempt->address);
	(void)snprintf(attempt->reason, sizeof(attempt->reason), "%s: %s", what,
	    strerror(-error));
}

static void
begin_attempt(struct connect *connect, struct connect_attempt *attempt)
{
	int seconds = connect->settings->remote_timeout_sec, fd;
	char what[WHAT_SIZE];

	fd = begin_connection(connect->settings, attempt->address, what);
	if (fd < 0) {
		fail_attempt(connect, attempt, what, fd);
		return;
	}
	if (seconds > CONNECT_SEC)
		seconds = CONNECT_SEC;
	attempt->fd = fd;
	attempt->state = CONNECT_UNDER_WAY;
	attempt->deadline_mono_ms = clock_mono_ms() + (int64_t)seconds * 1000;
	connect->next_mono_ms = clock_mono_ms() + NEXT_MS;
}

/* Get the result of an attempt: 0 if it is connected, -EINPROGRESS, or another
 * negative errno. */
static int
get_result(const struct connect_attempt *attempt, const struct pollfd *pfd)
{
	int error;
	socklen_t length = sizeof(error);

	if (pfd->revents == 0)
		return clock_mono_ms() < attempt->deadline_mono_ms
		    ? -EINPROGRESS
		    : -ETIMEDOUT;
	if (getsockopt(pfd->fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
		return -errno;
	return -error;
}

/* ---- all attempts -------------------------------------------------------- */

static struct connect_attempt *
find_attempt(struct connect *connect, enum connect_state state)
{
	for (size_t i = 0; i < connect->count; i++)
		if (connect->attempts[i].state == state)
			return &connect->attempts[i];
	return NULL;
}

/* Begin the attempts that are due. */
static void
begin_next(struct connect *connect)
{
	struct connect_attempt *attempt;

	while (clock_mono_ms() >= connect->next_mono_ms &&
	    (attempt = find_attempt(connect, CONNECT_WAITING)) != NULL)
		begin_attempt(connect, attempt);
}

/* Wait until an attempt has a result, another is due, or a deadline has passed.
 * ret_pfds has an entry for each attempt; poll(2) ignores one whose descriptor
 * is -1. */
static void
wait_for_attempts(struct connect *connect,
    struct pollfd ret_pfds[CONNECT_ADDRESSES_MAX])
{
	int64_t until_mono_ms = find_attempt(connect, CONNECT_WAITING) != NULL
	    ? connect->next_mono_ms
	    : INT64_MAX;
	int64_t left_ms;

	for (size_t i = 0; i < connect->count; i++) {
		const struct connect_attempt *attempt = &connect->attempts[i];

		ret_pfds[i] = (struct pollfd){
			.fd = attempt->fd,
			.events = POLLOUT,
		};
		if (attempt->state == CONNECT_UNDER_WAY &&
		    attempt->deadline_mono_ms < until_mono_ms)
			until_mono_ms = attempt->deadline_mono_ms;
	}
	left_ms = until_mono_ms - clock_mono_ms();
	if (poll(ret_pfds, connect->count, left_ms > 0 ? (int)left_ms : 0) < 0)
		for (size_t i = 0; i < connect->count; i++)
			ret_pfds[i].revents = 0;
}

/* The first address has answered: stop the others. */
static void
stop_slower(struct connect *connect)
{
	for (size_t i = 0; i < connect->count; i++) {
		struct connect_attempt *attempt = &connect->attempts[i];

		if (attempt->state != CONNECT_UNDER_WAY)
			continue;
		stop_attempt(attempt);
		attempt->state = CONNECT_SLOWER;
		(void)strlcpy(attempt->reason,
		    "no connection yet, and another address has answered",
		    sizeof(attempt->reason));
	}
}

/* Take the results of the attempts, up to the first that has answered. */
static void
check_attempts(struct connect *connect, const struct pollfd *pfds)
{
	for (size_t i = 0; i < connect->count; i++) {
		struct connect_attempt *attempt = &connect->attempts[i];
		int r;

		if (attempt->state != CONNECT_UNDER_WAY)
			continue;
		if ((r = get_result(attempt, &pfds[i])) == 0) {
			attempt->state = CONNECT_ANSWERED;
			stop_slower(connect);
			return;
		}
		if (r != -EINPROGRESS) {
			fail_attempt(connect, attempt, "no connection", r);
			connect->next_mono_ms = 0;
		}
	}
}

/* Take the next event. Returns whether there is one. */
static bool
take_event(struct connect *connect, struct connect_event *ret_event)
{
	struct connect_attempt *attempt;

	*ret_event = (struct connect_event){ .fd = -1 };
	if ((attempt = find_attempt(connect, CONNECT_FAILED)) != NULL) {
		ret_event->kind = CONNECT_EVENT_FAILED;
		attempt->state = CONNECT_OVER;
	} else if ((attempt = find_attempt(connect, CONNECT_SLOWER)) != NULL) {
		ret_event->kind = CONNECT_EVENT_SLOWER;
		attempt->state = CONNECT_WAITING;
	} else if ((attempt = find_attempt(connect, CONNECT_ANSWERED)) !=
	    NULL) {
		ret_event->kind = CONNECT_EVENT_OPEN;
		ret_event->fd = attempt->fd;
		attempt->fd = -1;
		attempt->state = CONNECT_OVER;
		connect->next_mono_ms = 0;
	} else
		return false;
	ret_event->address = attempt->address;
	ret_event->reason = attempt->reason;
	return true;
}

bool
connect_next(struct connect *connect, struct connect_event *ret_event)
{
	struct pollfd pfds[CONNECT_ADDRESSES_MAX];

	while (!take_event(connect, ret_event)) {
		begin_next(connect);
		if (find_attempt(connect, CONNECT_FAILED) != NULL)
			continue;
		if (find_attempt(connect, CONNECT_UNDER_WAY) == NULL)
			return false;
		wait_for_attempts(connect, pfds);
		check_attempts(connect, pfds);
	}
	return true;
}
