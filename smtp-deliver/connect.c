/* SPDX-License-Identifier: ISC */

/*
 * connect.c - connections to remote hosts.
 */

#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include "lib/clock.h"
#include "smtp-deliver/connect.h"

/* Wait for what became of a connection that is under way. */
static int
await_connection(int fd, int64_t deadline_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	int64_t left_ms = deadline_ms - clock_mono_ms();
	int error;
	socklen_t length = sizeof(error);

	if (left_ms <= 0 || poll(&pfd, 1, (int)left_ms) <= 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
		return -errno;
	return -error;
}

int
connect_socket(const struct sockaddr *address, socklen_t address_length,
    int64_t deadline_ms)
{
	int fd = socket(address->sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, r = 0;

	if (fd == -1)
		return -errno;
	/* What is sent is one command, or all there is of a message. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, address, address_length) == -1)
		r = errno == EINPROGRESS ? await_connection(fd, deadline_ms)
					 : -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}
