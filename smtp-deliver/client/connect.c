/* SPDX-License-Identifier: ISC */

/*
 * connect.c - connections to remote hosts (RFC 8305, "Happy Eyeballs").
 *
 * A host may have addresses that nobody answers at, often all of one family.
 * So the next one is tried while there is no answer yet, and the first that
 * answers is used.
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

/* Who is to be told of addresses that are passed over. */
struct listener {
	connect_passed_over *passed_over;
	void *context;
};

static bool
is_waiting(const struct connect_attempt *attempt)
{
	return !attempt->is_over && attempt->fd == -1;
}

static bool
is_under_way(const struct connect_attempt *attempt)
{
	return attempt->fd >= 0;
}

/* ---- the order of addresses ---- */

/* The next address of the family, or of another one; NULL if there is none. */
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

/* Each list keeps its order, and they take turns (RFC 8305 section 4). */
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
	ret_connect->next_ms = 0;
	ret_connect->failures = 0;
	for (size_t turn = 0; (next[0] != NULL || next[1] != NULL) &&
	     ret_connect->count < CONNECT_ADDRESSES_MAX;
	     turn = 1 - turn) {
		if (next[turn] == NULL)
			continue;
		ret_connect->attempts[ret_connect->count++] =
		    (struct connect_attempt){
			    .address = next[turn],
			    .fd = -1,
		    };
		next[turn] =
		    find_address(next[turn]->ai_next, family, turn == 0);
	}
}

/* ---- one attempt ---- */

/* Begin the connection where SMTP_BIND_ADDRESS says. Returns 0 or a negative
 * errno, with ret_what telling what that is about. */
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
	/* The port is chosen when it is known where to: there are more then. */
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

/* Make a socket and begin to connect it. Returns it, or a negative errno with
 * ret_what telling what that is about. */
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
	/* What is sent is one command, or all there is of a message. */
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
	close(attempt->fd);
	attempt->fd = -1;
}

/* Whether an error is about the network or the other host, and not about what
 * this one has run out of. */
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

/* An address cannot be connected to. */
static void
fail_attempt(struct connect *connect, struct connect_attempt *attempt,
    const char *what, int error, const struct listener *listener)
{
	char reason[CONNECT_REASON_SIZE];

	if (is_under_way(attempt))
		stop_attempt(attempt);
	attempt->is_over = true;
	connect->failures |= failure_of(error, attempt->address);
	(void)snprintf(reason, sizeof(reason), "%s: %s", what,
	    strerror(-error));
	listener->passed_over(listener->context, attempt->address, reason,
	    true);
}

static void
begin_attempt(struct connect *connect, struct connect_attempt *attempt,
    const struct listener *listener)
{
	int seconds = connect->settings->remote_timeout_sec, fd;
	char what[WHAT_SIZE];

	fd = begin_connection(connect->settings, attempt->address, what);
	if (fd < 0) {
		fail_attempt(connect, attempt, what, fd, listener);
		return;
	}
	if (seconds > CONNECT_SEC)
		seconds = CONNECT_SEC;
	attempt->fd = fd;
	attempt->deadline_ms = clock_mono_ms() + (int64_t)seconds * 1000;
	connect->next_ms = clock_mono_ms() + NEXT_MS;
}

/* What became of an attempt: 0, -EINPROGRESS or another negative errno. */
static int
see_attempt(const struct connect_attempt *attempt, const struct pollfd *pfd)
{
	int error;
	socklen_t length = sizeof(error);

	if (pfd->revents == 0)
		return clock_mono_ms() < attempt->deadline_ms ? -EINPROGRESS
							      : -ETIMEDOUT;
	if (getsockopt(pfd->fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
		return -errno;
	return -error;
}

/* ---- all of them ---- */

static struct connect_attempt *
find_waiting(struct connect *connect)
{
	for (size_t i = 0; i < connect->count; i++)
		if (is_waiting(&connect->attempts[i]))
			return &connect->attempts[i];
	return NULL;
}

/* Try the next addresses whose time has come. */
static void
begin_next(struct connect *connect, const struct listener *listener)
{
	struct connect_attempt *attempt;

	while (clock_mono_ms() >= connect->next_ms &&
	    (attempt = find_waiting(connect)) != NULL)
		begin_attempt(connect, attempt, listener);
}

/* Wait until something has happened, or has to. Returns how many attempts are
 * under way; ret_pfds has one for each of all, -1 being none. */
static size_t
await_attempts(struct connect *connect,
    struct pollfd ret_pfds[CONNECT_ADDRESSES_MAX])
{
	int64_t until_ms =
	    find_waiting(connect) != NULL ? connect->next_ms : INT64_MAX;
	int64_t left_ms;
	size_t count = 0;

	for (size_t i = 0; i < connect->count; i++) {
		const struct connect_attempt *attempt = &connect->attempts[i];

		ret_pfds[i] = (struct pollfd){
			.fd = attempt->fd,
			.events = POLLOUT,
		};
		if (!is_under_way(attempt))
			continue;
		count++;
		if (attempt->deadline_ms < until_ms)
			until_ms = attempt->deadline_ms;
	}
	left_ms = until_ms - clock_mono_ms();
	if (count > 0 &&
	    poll(ret_pfds, connect->count, left_ms > 0 ? (int)left_ms : 0) < 0)
		for (size_t i = 0; i < connect->count; i++)
			ret_pfds[i].revents = 0;
	return count;
}

/* Returns the attempt that has a connection, or NULL. */
static struct connect_attempt *
see_attempts(struct connect *connect, const struct pollfd *pfds,
    const struct listener *listener)
{
	for (size_t i = 0; i < connect->count; i++) {
		struct connect_attempt *attempt = &connect->attempts[i];
		int r;

		if (!is_under_way(attempt))
			continue;
		if ((r = see_attempt(attempt, &pfds[i])) == 0)
			return attempt;
		if (r != -EINPROGRESS) {
			fail_attempt(connect, attempt, "no connection", r,
			    listener);
			connect->next_ms = 0;
		}
	}
	return NULL;
}

/* Leave off what is under way: another address was faster. */
static void
leave_attempts(struct connect *connect, const struct listener *listener)
{
	for (size_t i = 0; i < connect->count; i++) {
		if (!is_under_way(&connect->attempts[i]))
			continue;
		stop_attempt(&connect->attempts[i]);
		listener->passed_over(listener->context,
		    connect->attempts[i].address,
		    "no connection yet, and another address has answered",
		    false);
	}
}

int
connect_next(struct connect *connect, connect_passed_over *passed_over,
    void *context, const struct addrinfo **ret_address)
{
	const struct listener listener = { passed_over, context };
	struct pollfd pfds[CONNECT_ADDRESSES_MAX];
	struct connect_attempt *best;
	int fd;

	connect->next_ms = 0;
	for (;;) {
		begin_next(connect, &listener);
		if (await_attempts(connect, pfds) == 0)
			return -ENOENT;
		if ((best = see_attempts(connect, pfds, &listener)) != NULL)
			break;
	}
	fd = best->fd;
	best->fd = -1;
	best->is_over = true;
	leave_attempts(connect, &listener);
	*ret_address = best->address;
	return fd;
}
