/* SPDX-License-Identifier: ISC */

/*
 * manager.c - the service manager: what it passes, what it is told.
 *
 * systemd promises to keep these two interfaces as they are. To load libsystemd
 * for them would take longer than a session lasts.
 */

#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/manager.h"

#define FDS_MAX 1024

/* How many descriptors the environment speaks of. */
static int
count_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	const char *problem = NULL;
	long long value;

	if (pid == NULL || count == NULL)
		return 0;
	value = strtonum(pid, 1, INT_MAX, &problem);
	if (problem != NULL)
		return -EINVAL;
	if (value != getpid())
		return 0; /* they are for a process that has started us */
	value = strtonum(count, 1, FDS_MAX, &problem);
	return problem == NULL ? (int)value : -EINVAL;
}

int
manager_take_fds(void)
{
	int count = count_fds();

	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	for (int i = 0; i < count; i++)
		if (fcntl(MANAGER_FDS_START + i, F_SETFD, FD_CLOEXEC) == -1)
			return -errno;
	return count;
}

void
manager_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length;
	int fd;

	if (path == NULL || (*path != '/' && *path != '@') ||
	    strlcpy(address.sun_path, path, sizeof(address.sun_path)) >=
		sizeof(address.sun_path))
		return;
	length =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (*path == '@')
		address.sun_path[0] = '\0'; /* it has no place in a folder */
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return;
	(void)sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (const struct sockaddr *)&address, length);
	close(fd);
}

static bool
has_option(int fd, int option, int expected)
{
	int value;
	socklen_t length = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 &&
	    value == expected;
}

bool
is_listening(int fd)
{
	return has_option(fd, SO_TYPE, SOCK_STREAM) &&
	    has_option(fd, SO_ACCEPTCONN, 1);
}
