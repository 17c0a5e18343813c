/* SPDX-License-Identifier: ISC */

/*
 * manager.c - descriptors are taken as they were meant, and what is to be told
 * arrives.
 */

#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "lib/manager.h"
#include "t/unit/folder.h"

/* "own" stands for this process's id. Descriptors 3 and 4 are open. */
static const struct {
	const char *pid, *count;
	int expected;
} takes[] = {
	{ NULL, NULL, 0 },
	{ "own", NULL, 0 },
	{ NULL, "1", 0 },
	{ "own", "1", 1 },
	{ "own", "2", 2 },
	{ "1", "2", 0 },
	{ "own", "3", -EBADF },
	{ "own", "0", -EINVAL },
	{ "own", "-1", -EINVAL },
	{ "own", "2x", -EINVAL },
	{ "own", "", -EINVAL },
	{ "own", "99999999999999999999", -EINVAL },
	{ "x", "1", -EINVAL },
	{ "", "1", -EINVAL },
	{ "0", "1", -EINVAL },
};

static void
set(const char *name, const char *value)
{
	char own[16];

	(void)snprintf(own, sizeof(own), "%d", (int)getpid());
	if (value == NULL)
		need(unsetenv(name) == 0);
	else
		need(setenv(name, strcmp(value, "own") == 0 ? own : value, 1) ==
		    0);
}

static void
open_two(void)
{
	int fd = open("/dev/null", O_RDONLY);

	need(fd >= 0);
	need(dup2(fd, 3) == 3 && dup2(fd, 4) == 4);
	closefrom(5);
}

static void
take_each(void)
{
	for (size_t i = 0; i < sizeof(takes) / sizeof(takes[0]); i++) {
		open_two();
		set("LISTEN_PID", takes[i].pid);
		set("LISTEN_FDS", takes[i].count);
		is_int(manager_take_fds(), takes[i].expected,
		    "LISTEN_PID %s, LISTEN_FDS %s",
		    takes[i].pid != NULL ? takes[i].pid : "unset",
		    takes[i].count != NULL ? takes[i].count : "unset");
		ok(getenv("LISTEN_PID") == NULL && getenv("LISTEN_FDS") == NULL,
		    "nobody else is told of them");
	}
}

static void
taken_are_closed_upon_exec(void)
{
	open_two();
	set("LISTEN_PID", "own");
	set("LISTEN_FDS", "1");
	is_int(manager_take_fds(), 1, "one is taken");
	is_int(fcntl(3, F_GETFD), FD_CLOEXEC, "it is closed upon exec");
	is_int(fcntl(4, F_GETFD), 0, "the one that is not ours is let be");
}

/* What is told arrives at a socket of that name; '@' stands for a NUL. */
static void
notify(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char text[64] = "";

	need(fd >= 0 && strlen(name) < sizeof(address.sun_path));
	memcpy(address.sun_path, name, strlen(name));
	if (*name == '@')
		address.sun_path[0] = '\0';
	need(bind(fd, (struct sockaddr *)&address,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		     strlen(name))) == 0);
	set("NOTIFY_SOCKET", name);
	manager_notify("READY=1");
	need(recv(fd, text, sizeof(text) - 1, 0) != -1 || errno == EAGAIN);
	is_str(text, "READY=1", "%s is told",
	    *name == '@' ? "a socket without a file" : "a socket's file");
	close(fd);
}

/* Without harm: no descriptor is left open. */
static void
notify_nobody(void)
{
	static const char *const names[] = { NULL, "", "relative",
		"/nobody/is/there", "vsock:2:1234" };
	char name[200];
	int free_fd = dup(STDERR_FILENO), fd;

	need(free_fd >= 0);
	close(free_fd);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		set("NOTIFY_SOCKET", names[i]);
		manager_notify("READY=1");
	}
	memset(name, '/', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	set("NOTIFY_SOCKET", name);
	manager_notify("READY=1");
	fd = dup(STDERR_FILENO);
	is_int(fd, free_fd, "nobody is told, and nothing is left open");
	close(fd);
}

static void
sockets_listen_or_not(void)
{
	int stream_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int datagram_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	int packet_fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(address.sun_family); /* any free name */

	need(stream_fd >= 0 && datagram_fd >= 0 && packet_fd >= 0);
	ok(!is_listening(stream_fd), "a socket does not listen yet");
	need(bind(stream_fd, (struct sockaddr *)&address, length) == 0);
	need(listen(stream_fd, 1) == 0);
	ok(is_listening(stream_fd), "it listens");
	need(bind(packet_fd, (struct sockaddr *)&address, length) == 0);
	need(listen(packet_fd, 1) == 0);
	ok(!is_listening(packet_fd), "packets are no streams");
	ok(!is_listening(datagram_fd), "nor are datagrams");
	ok(!is_listening(STDERR_FILENO) && !is_listening(-1),
	    "other descriptors do not listen");
	close(stream_fd);
	close(packet_fd);
	close(datagram_fd);
}

int
main(void)
{
	char name[64];

	folder_make();
	take_each();
	taken_are_closed_upon_exec();
	notify(folder_at("notify"));
	(void)snprintf(name, sizeof(name), "@smtpserver-test-%d",
	    (int)getpid());
	notify(name);
	notify_nobody();
	sockets_listen_or_not();
	folder_remove();
	return done_testing();
}
