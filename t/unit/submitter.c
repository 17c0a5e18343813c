/* SPDX-License-Identifier: ISC */

/*
 * submitter.c - the kernel tells whose the socket at the other end is, over a
 * UNIX socket and TCP; where it cannot tell, nothing is claimed.
 *
 * The clients are processes of other users, for which this needs root.
 */

#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>

#include "lib/submitter.h"
#include "t/unit/folder.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define OTHER_UID 54321

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* A way to connect: the addresses of the server and of its clients. */
struct way {
	const char *name;
	int server_family;
	int client_family;
	bool is_any; /* the server is at all addresses, IPv4's too */
	bool is_bound; /* the client's socket is, to the interface */
};

static const struct way ways[] = {
	{ "a UNIX socket", AF_UNIX, AF_UNIX, false },
	{ "IPv4", AF_INET, AF_INET, false },
	{ "IPv6", AF_INET6, AF_INET6, false },
	{ "IPv4 to a server of IPv6", AF_INET6, AF_INET, true },
	{ "IPv6 with a mapped address", AF_INET, AF_INET6, false },
	{ "mapped addresses at both ends", AF_INET6, AF_INET6, true },
	{ "IPv4 bound to lo", AF_INET, AF_INET, .is_bound = true },
	{ "IPv6 bound to lo", AF_INET6, AF_INET6, .is_bound = true },
	{ "mapped ones bound to lo", AF_INET6, AF_INET6, true, true },
};

/* What a client does once it has connected. */
enum habit {
	STAYS,
	SHUTS, /* says that it sends no more */
	CLOSES,
	DIES,
};

struct client {
	pid_t pid;
	int fd; /* the server's end */
};

static int netlink_fd;

static socklen_t
get_address(const struct way *way, bool is_server, in_port_t port,
    union address *ret_address)
{
	int family = is_server ? way->server_family : way->client_family;

	*ret_address = (union address){ .any.sa_family = (sa_family_t)family };
	if (family == AF_UNIX) {
		(void)strlcpy(ret_address->un.sun_path, folder_at("socket"),
		    sizeof(ret_address->un.sun_path));
		return sizeof(ret_address->un);
	}
	if (family == AF_INET) {
		ret_address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		ret_address->in.sin_port = port;
		return sizeof(ret_address->in);
	}
	ret_address->in6.sin6_port = port;
	if (is_server && way->is_any)
		ret_address->in6.sin6_addr = in6addr_any;
	else if (way->is_any || way->server_family == AF_INET)
		need(inet_pton(AF_INET6, "::ffff:127.0.0.1",
			 &ret_address->in6.sin6_addr) == 1);
	else
		ret_address->in6.sin6_addr = in6addr_loopback;
	return sizeof(ret_address->in6);
}

static int
start_server(const struct way *way, in_port_t *ret_port)
{
	union address address;
	socklen_t length = get_address(way, true, 0, &address);
	int fd = socket(way->server_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)unlink(folder_at("socket"));
	need(fd >= 0 && bind(fd, &address.any, length) == 0 &&
	    listen(fd, 8) == 0);
	if (way->server_family == AF_UNIX)
		need(chmod(folder_at("socket"), 0666) == 0);
	length = sizeof(address);
	need(getsockname(fd, &address.any, &length) == 0);
	*ret_port = way->server_family == AF_INET ? address.in.sin_port
						  : address.in6.sin6_port;
	return fd;
}

_Noreturn static void
be_client(const struct way *way, in_port_t port, uid_t uid, enum habit habit,
    int ready_fd)
{
	union address address;
	socklen_t length = get_address(way, false, port, &address);
	int fd;

	alarm(60);
	need(setuid(uid) == 0);
	fd = socket(way->client_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	need(fd >= 0);
	if (way->is_bound)
		need(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0);
	need(connect(fd, &address.any, length) == 0);
	need(write(fd, "QUIT\r\n", 6) == 6);
	if (habit == SHUTS)
		need(shutdown(fd, SHUT_WR) == 0);
	if (habit == CLOSES)
		close(fd);
	need(write(ready_fd, "", 1) == 1);
	if (habit != DIES)
		pause();
	_exit(0);
}

/* Returns when the client has done what it does. */
static struct client
start_client(const struct way *way, uid_t uid, enum habit habit)
{
	struct client client;
	int server_fd, ready[2];
	in_port_t port;
	char octet;

	server_fd = start_server(way, &port);
	need(pipe2(ready, O_CLOEXEC) == 0);
	need((client.pid = fork()) != -1);
	if (client.pid == 0)
		be_client(way, port, uid, habit, ready[1]);
	close(ready[1]);
	need(read(ready[0], &octet, 1) == 1);
	close(ready[0]);
	if (habit == DIES)
		need(waitpid(client.pid, NULL, 0) == client.pid);
	/* cppcheck-suppress nullPointer ; the address is not asked for */
	client.fd = accept4(server_fd, NULL, NULL, SOCK_CLOEXEC);
	need(client.fd >= 0);
	close(server_fd);
	return client;
}

static void
end_client(const struct client *client, enum habit habit)
{
	close(client->fd);
	if (habit == DIES)
		return;
	need(kill(client->pid, SIGKILL) == 0);
	need(waitpid(client->pid, NULL, 0) == client->pid);
}

static struct submitter
identify(const struct way *way, uid_t uid, enum habit habit)
{
	struct client client = start_client(way, uid, habit);
	struct submitter submitter;

	submitter_identify(client.fd, netlink_fd, &submitter);
	submitter_find_unit(client.fd, &submitter);
	end_client(&client, habit);
	return submitter;
}

static void
users_are_known(void)
{
	static const uid_t uids[] = { 0, OTHER_UID };

	for (size_t i = 0; i < COUNT(ways); i++)
		for (size_t j = 0; j < COUNT(uids); j++) {
			struct submitter submitter =
			    identify(&ways[i], uids[j], STAYS);

			ok(submitter.is_known, "%s: somebody is known",
			    ways[i].name);
			is_int(submitter.uid, uids[j], "%s: it is user %u",
			    ways[i].name, uids[j]);
			submitter = identify(&ways[i], uids[j], SHUTS);
			ok(submitter.is_known && submitter.uid == uids[j],
			    "%s: also after the end of its input",
			    ways[i].name);
		}
}

/* The kernel says that root owns what nobody owns. */
static void
closed_sockets_are_nobodys(void)
{
	static const enum habit habits[] = { CLOSES, DIES };

	for (size_t i = 0; i < COUNT(ways); i++)
		for (size_t j = 0; j < COUNT(habits); j++) {
			struct submitter submitter =
			    identify(&ways[i], OTHER_UID, habits[j]);

			if (ways[i].server_family == AF_UNIX)
				ok(submitter.is_known &&
					submitter.uid == OTHER_UID,
				    "%s: a client that is gone is known",
				    ways[i].name);
			else
				ok(!submitter.is_known && submitter.uid == 0 &&
					*submitter.unit == '\0',
				    "%s: a client that is gone is unknown",
				    ways[i].name);
		}
}

static bool
is_unknown(int fd, int some_netlink_fd)
{
	struct submitter submitter = { .is_known = true };

	submitter_identify(fd, some_netlink_fd, &submitter);
	submitter_find_unit(fd, &submitter);
	return !submitter.is_known && *submitter.unit == '\0';
}

static void
faults_leave_them_unknown(void)
{
	struct client client = start_client(&ways[1], OTHER_UID, STAYS);
	int pipe_fds[2], closed_fd;

	need(pipe2(pipe_fds, O_CLOEXEC) == 0);
	closed_fd = fcntl(netlink_fd, F_DUPFD_CLOEXEC, 0);
	need(closed_fd >= 0);
	close(closed_fd);
	ok(!is_unknown(client.fd, -1), "without a netlink socket one is made");
	ok(is_unknown(client.fd, closed_fd), "with a closed one");
	ok(is_unknown(client.fd, pipe_fds[1]), "with what is none");
	ok(is_unknown(pipe_fds[0], netlink_fd), "at a pipe");
	ok(is_unknown(closed_fd, netlink_fd), "at nothing");
	end_client(&client, STAYS);
}

/* An answer that was not fetched must not be taken for the next one. */
static void
answers_are_not_mixed_up(void)
{
	struct client first = start_client(&ways[1], OTHER_UID, STAYS);
	struct client second = start_client(&ways[1], OTHER_UID + 1, STAYS);
	const struct nlmsghdr empty = {
		.nlmsg_len = sizeof(empty),
		.nlmsg_type = NLMSG_NOOP,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.nlmsg_seq = UINT32_MAX,
	};
	struct submitter submitter;

	for (int i = 0; i < 2; i++)
		need(send(netlink_fd, &empty, sizeof(empty), 0) ==
		    sizeof(empty));
	for (int i = 0; i < 3; i++) {
		submitter_identify(first.fd, netlink_fd, &submitter);
		is_int(submitter.uid, OTHER_UID, "the first is asked for");
		submitter_identify(second.fd, netlink_fd, &submitter);
		is_int(submitter.uid, OTHER_UID + 1, "then the second");
	}
	end_client(&first, STAYS);
	end_client(&second, STAYS);
}

/* clang-format off */
static const struct { const char *text; int error; uid_t uid; const char *unit; } texts[] = {
	{ "uid=33 unit=apache2.service", 0, 33, "apache2.service" },
	{ "uid=0", 0, 0, "" },
	{ "uid=4294967294 unit=home-a\\x2db.mount", 0, 4294967294, "home-a\\x2db.mount" },
	{ "uid=33 pid=7 unit=x.service", 0, 33, "x.service" },
	{ "uid=33 later", 0, 33, "" },
	{ "", -EBADMSG, 0, "" },
	{ "unit=x.service", -EBADMSG, 0, "" },
	{ "uid=", -EBADMSG, 0, "" },
	{ "uid=-1", -EBADMSG, 0, "" },
	{ "uid=4294967296", -EBADMSG, 0, "" },
	{ "uid=root", -EBADMSG, 0, "" },
	{ "uid=33 unit=", -EBADMSG, 0, "" },
	{ "uid=33 unit=x.service\nx", -EBADMSG, 0, "" },
	{ "uid=33 unit=../x.service", -EBADMSG, 0, "" },
};
/* clang-format on */

static void
texts_are_read(void)
{
	struct submitter submitter;
	char text[SUBMITTER_TEXT_SIZE];

	for (size_t i = 0; i < COUNT(texts); i++) {
		int r = submitter_parse(texts[i].text, &submitter);

		is_int(r, texts[i].error, "text '%s'", texts[i].text);
		if (r < 0)
			continue;
		is_int(submitter.uid, texts[i].uid, "its uid");
		is_str(submitter.unit, texts[i].unit, "its unit");
		submitter_format(&submitter, text);
		if (i < 3)
			is_str(text, texts[i].text, "and it is written so");
	}
}

int
main(void)
{
	folder_make();
	need(chmod(folder_path, 0755) == 0);
	need((netlink_fd = submitter_open_netlink()) >= 0);
	texts_are_read();
	users_are_known();
	closed_sockets_are_nobodys();
	faults_leave_them_unknown();
	answers_are_not_mixed_up();
	close(netlink_fd);
	folder_remove();
	return done_testing();
}
