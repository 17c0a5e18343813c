/* SPDX-License-Identifier: ISC */

/*
 * systemd.c - systemd, as a listener sees it.
 *
 * libsystemd brings six other libraries; to load them takes as long as all the
 * rest of a short session. Only a listener needs it, so only a listener loads
 * it. smtp-health is linked with it: it is there wherever this is installed.
 */

#include "config.h"

#include <sys/socket.h>

#include <dlfcn.h>
#include <err.h>
#include <sysexits.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "smtp-session/systemd.h"

#define LIBRARY "libsystemd.so.0"
#define FUNCTION(name) ((__typeof__(&(name)))find_function(#name))

static void *library; /* NULL: this is no listener */

static void *
find_function(const char *name)
{
	void *function = dlsym(library, name);

	if (function == NULL)
		errx(EX_UNAVAILABLE, "%s", dlerror());
	return function;
}

bool
is_listening(int fd)
{
	socklen_t length = sizeof(int);
	int is_accepting;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_accepting,
		   &length) == 0 &&
	    is_accepting != 0;
}

bool
is_netlink(int fd)
{
	socklen_t length = sizeof(int);
	int family;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length) == 0 &&
	    family == AF_NETLINK;
}

int
systemd_take_sockets(int *ret_first_fd)
{
	if (!is_listening(STDIN_FILENO) && !is_listening(SD_LISTEN_FDS_START) &&
	    !is_netlink(SD_LISTEN_FDS_START))
		return 0;
	if ((library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL)) == NULL)
		errx(EX_UNAVAILABLE, "%s", dlerror());
	*ret_first_fd = SD_LISTEN_FDS_START;
	return FUNCTION(sd_listen_fds)(1);
}

void
systemd_notify(const char *state)
{
	if (library != NULL)
		(void)FUNCTION(sd_notify)(0, state);
}
