/* SPDX-License-Identifier: ISC */

/*
 * deaf.c - preloaded: a worker that reports its first job as done again and
 * again, takes no other job, and does not exit. Also shrinks the run's socket
 * buffers to a few orders, so that a test can fill them.
 */

#include <sys/socket.h>

#include <dlfcn.h>
#include <string.h>
#include <unistd.h>

#include "smtp-deliver/worker/channel.h"

int
socketpair(int domain, int type, int protocol, int fds[2])
{
	int (*real_socketpair)(int, int, int, int[2]) =
	    (int (*)(int, int, int, int[2]))dlsym(RTLD_NEXT, "socketpair");
	static const int octets = 1; /* the kernel raises it to its minimum */
	int r = real_socketpair(domain, type, protocol, fds);

	if (r == 0)
		(void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &octets,
		    sizeof(octets));
	return r;
}

ssize_t
send(int fd, const void *data, size_t size_bytes, int flags)
{
	ssize_t (*real_send)(int, const void *, size_t, int) = (ssize_t(*)(int,
	    const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	struct report verdict, done = { .kind = REPORT_DONE };

	if (size_bytes != sizeof(verdict))
		return real_send(fd, data, size_bytes, flags);
	memcpy(&verdict, data, sizeof(verdict));
	if (verdict.kind != REPORT_VERDICT)
		return real_send(fd, data, size_bytes, flags);
	while (real_send(fd, &verdict, sizeof(verdict), flags) >= 0 &&
	    real_send(fd, &done, sizeof(done), flags) >= 0)
		;
	for (;;)
		(void)pause();
}
