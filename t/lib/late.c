/* SPDX-License-Identifier: ISC */

/*
 * late.c - preloaded: a run that closes the socket of a worker only when the
 * worker has sent something, or has ended. So whatever a worker may still say
 * to a run that has decided to end it, it says.
 */

#include <sys/socket.h>

#include <dlfcn.h>
#include <poll.h>
#include <unistd.h>

#define FDS_MAX 1024
#define WAIT_MS 20000

static unsigned char is_worker[FDS_MAX];
static pid_t run;

int
socketpair(int domain, int type, int protocol, int fds[2])
{
	int (*real_socketpair)(int, int, int, int[2]) =
	    (int (*)(int, int, int, int[2]))dlsym(RTLD_NEXT, "socketpair");
	int r = real_socketpair(domain, type, protocol, fds);

	if (r == 0 && (type & SOCK_SEQPACKET) == SOCK_SEQPACKET) {
		run = getpid();
		is_worker[fds[0]] = 1;
	}
	return r;
}

int
close(int fd)
{
	int (*real_close)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (fd >= 0 && fd < FDS_MAX && is_worker[fd] && getpid() == run) {
		is_worker[fd] = 0;
		(void)poll(&pfd, 1, WAIT_MS);
	}
	return real_close(fd);
}
