/* SPDX-License-Identifier: ISC */

/*
 * peer.c - the other end of a socket, controlled by the input.
 */

#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "t/fuzz/fuzz.h"
#include "t/fuzz/peer.h"

#define OUTPUT_SIZE (4 * 1024 * 1024)

static struct {
	int fd; /* -1: no peer */
	const uint8_t *next, *end;
	bool is_silent; /* does not half-close at its end */
	size_t output_length;
	char output[OUTPUT_SIZE];
	int64_t now_mono_ms;
} peer = { .fd = -1 };

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
ssize_t __real_read(int fd, void *buffer, size_t size_bytes);
ssize_t __wrap_read(int fd, void *buffer, size_t size_bytes);
int64_t __wrap_clock_mono_ms(void);

void
peer_start(int fd, const uint8_t *data, size_t size)
{
	must(peer.fd == -1);
	peer.fd = fd;
	peer.next = data;
	peer.end = data + size;
	peer.is_silent = size > 0 && data[size - 1] == PEER_PAUSE;
	peer.output_length = 0;
}

int
peer_connect(const uint8_t *data, size_t size)
{
	int fds[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	peer_start(fds[1], data, size);
	return fds[0];
}

static void
listen_to_program(void)
{
	ssize_t n;

	while ((n = recv(peer.fd, peer.output + peer.output_length,
		    OUTPUT_SIZE - 1 - peer.output_length, MSG_DONTWAIT)) > 0) {
		peer.output_length += (size_t)n;
		must(peer.output_length < OUTPUT_SIZE - 1);
	}
}

/* Send the input up to the next pause, or half-close. */
static void
say_next(void)
{
	size_t left = (size_t)(peer.end - peer.next), length;
	const uint8_t *pause;
	ssize_t n;

	if (left == 0) {
		if (!peer.is_silent)
			(void)shutdown(peer.fd, SHUT_WR);
		return;
	}
	pause = memchr(peer.next, PEER_PAUSE, left);
	length = pause != NULL ? (size_t)(pause - peer.next) : left;
	n = send(peer.fd, peer.next, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1) {
		/* The program closed its end, or the buffer is full. */
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			peer.next = peer.end;
		return;
	}
	peer.next += n;
	if (peer.next == pause)
		peer.next++;
}

void
peer_move(void)
{
	if (peer.fd == -1)
		return;
	listen_to_program();
	say_next();
}

void
peer_pass_time(int64_t ms)
{
	if (ms > 0)
		peer.now_mono_ms += ms;
}

const char *
peer_end(size_t *ret_length)
{
	must(peer.fd != -1);
	listen_to_program();
	close(peer.fd);
	peer.fd = -1;
	peer.output[peer.output_length] = '\0';
	*ret_length = peer.output_length;
	return peer.output;
}

static ssize_t
receive_plain(void *context, void *buffer, size_t size_bytes,
    int64_t deadline_mono_ms)
{
	return stream_receive_plain(context, buffer, size_bytes,
	    deadline_mono_ms);
}

static int
send_plain(void *context, const void *data, size_t size_bytes,
    int64_t deadline_mono_ms)
{
	return stream_send_plain(context, data, size_bytes, deadline_mono_ms);
}

static void
close_plain(void *context)
{
	(void)context;
}

const struct transport peer_transport = { receive_plain, send_plain,
	close_plain };

int
__wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	int n = __real_poll(fds, count, 0);

	/* Let the program read what was sent before the peer sends more. */
	for (int tries = 0; n == 0 && tries < 2; tries++) {
		peer_move();
		n = __real_poll(fds, count, 0);
	}
	if (n == 0) {
		must(timeout_ms >= 0);
		peer_pass_time(timeout_ms > 0 ? timeout_ms : 1);
	}
	return n;
}

/* read(2) of a socket with SO_RCVTIMEO, which waits by itself. */
ssize_t
__wrap_read(int fd, void *buffer, size_t size_bytes)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct timeval wait;
	socklen_t length = sizeof(wait);

	if (peer.fd == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, &length) == -1)
		return __real_read(fd, buffer, size_bytes);
	if (__wrap_poll(&pfd, 1,
		(int)(wait.tv_sec * 1000 + wait.tv_usec / 1000)) == 0) {
		errno = EAGAIN;
		return -1;
	}
	return __real_read(fd, buffer, size_bytes);
}

int64_t
__wrap_clock_mono_ms(void)
{
	return peer.now_mono_ms;
}
