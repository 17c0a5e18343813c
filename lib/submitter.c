/* SPDX-License-Identifier: ISC */

/*
 * submitter.c - who is at the other end of a connected socket.
 *
 * A UNIX socket has the uid of the process that connected (SO_PEERCRED), and a
 * descriptor of that process (SO_PEERPIDFD, since Linux 6.5), so that another
 * one with the same process id is not taken for it. For TCP sock_diag(7) is
 * asked for the client's socket: that has the uid and the control group of the
 * process that made it.
 *
 * A socket that its process has closed has no owner any more. The kernel then
 * reports uid 0 and inode 0: such an answer counts for nothing.
 */

#include "config.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/ip.h"
#include "lib/submitter.h"

#define LOOPBACK_INDEX 1 /* of the interface, in each network namespace */
#define ANSWER_SIZE 4096
#define ANSWERS_MAX 8 /* of earlier questions, that may still be there */

/* Newer than some C libraries. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#ifndef PIDFD_INFO_CGROUPID
#define PIDFD_INFO_CGROUPID (1U << 2)
#endif

union any_address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 request;
};

union answer {
	struct nlmsghdr header;
	char room[ANSWER_SIZE];
};

/* ---- TCP ----------------------------------------------------------------- */

int
submitter_open_netlink(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    NETLINK_SOCK_DIAG);

	if (fd == -1)
		return -errno;
	return fd;
}

void
submitter_drain_netlink(int netlink_fd)
{
	union answer answer;
	ssize_t n;

	if (netlink_fd < 0)
		return;
	do
		n = recv(netlink_fd, &answer, sizeof(answer), MSG_DONTWAIT);
	while (n >= 0 || errno == ENOBUFS); /* ENOBUFS: some were lost */
}

/* Put an address into a question. Returns whether it is IPv4, which in a socket
 * of IPv6 may be mapped. */
static bool
put_address(const union any_address *address, uint32_t ret_ip[4],
    uint16_t *ret_port)
{
	struct in_addr mapped;

	if (address->any.sa_family == AF_INET) {
		ret_ip[0] = address->in.sin_addr.s_addr;
		*ret_port = address->in.sin_port;
		return true;
	}
	*ret_port = address->in6.sin6_port;
	if (ip_unmap(&address->in6.sin6_addr, &mapped)) {
		ret_ip[0] = mapped.s_addr;
		return true;
	}
	memcpy(ret_ip, &address->in6.sin6_addr, sizeof(struct in6_addr));
	return false;
}

static bool
is_tcp(int fd)
{
	int protocol = 0;
	socklen_t length = sizeof(protocol);

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) ==
	    0 &&
	    protocol == IPPROTO_TCP;
}

/* Ask for the socket at the other end: from its address to ours. */
static bool
make_question(int fd, struct question *ret_question)
{
	union any_address ours = { .any.sa_family = AF_UNSPEC };
	union any_address theirs = { .any.sa_family = AF_UNSPEC };
	socklen_t our_length = sizeof(ours), their_length = sizeof(theirs);
	struct inet_diag_sockid *id = &ret_question->request.id;
	bool is_ip4;

	if (!is_tcp(fd) || getsockname(fd, &ours.any, &our_length) == -1 ||
	    getpeername(fd, &theirs.any, &their_length) == -1)
		return false;
	*ret_question = (struct question){
		.header = { .nlmsg_len = sizeof(*ret_question),
		    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
		    .nlmsg_flags = NLM_F_REQUEST },
		.request = { .sdiag_protocol = IPPROTO_TCP,
		    .idiag_states = UINT32_MAX,
		    /* Clients may have bound their sockets to it. */
		    .id.idiag_if = LOOPBACK_INDEX,
		    .id.idiag_cookie = { INET_DIAG_NOCOOKIE,
			INET_DIAG_NOCOOKIE } },
	};
	is_ip4 = put_address(&theirs, id->idiag_src, &id->idiag_sport);
	(void)put_address(&ours, id->idiag_dst, &id->idiag_dport);
	ret_question->request.sdiag_family = is_ip4 ? AF_INET : AF_INET6;
	return true;
}

/* Whether an address of an answer is the one that was asked for. A client's
 * socket of IPv6 may have mapped addresses. */
static bool
is_same_address(const uint32_t asked[4], int asked_family,
    const uint32_t found[4], int found_family)
{
	static const uint32_t mapped[2] = { 0, 0 };

	if (asked_family == found_family)
		return memcmp(asked, found,
			   asked_family == AF_INET
			       ? sizeof(asked[0])
			       : sizeof(struct in6_addr)) == 0;
	return memcmp(found, mapped, sizeof(mapped)) == 0 &&
	    found[2] == htonl(0xffff) && found[3] == asked[0];
}

/* Whether the answer is about the socket that was asked for, and that socket is
 * some process's. Where there is no such connection, the kernel may tell about
 * a socket that listens there. */
static bool
is_about(const struct question *question, const struct inet_diag_msg *found)
{
	const struct inet_diag_sockid *asked = &question->request.id;
	int family = question->request.sdiag_family;

	return found->idiag_inode != 0 &&
	    found->id.idiag_sport == asked->idiag_sport &&
	    found->id.idiag_dport == asked->idiag_dport &&
	    is_same_address(asked->idiag_src, family, found->id.idiag_src,
		found->idiag_family) &&
	    is_same_address(asked->idiag_dst, family, found->id.idiag_dst,
		found->idiag_family);
}

/* What follows the header of an answer. NLMSG_DATA() is not for constants. */
static const struct inet_diag_msg *
get_message(const struct nlmsghdr *header)
{
	return (const void *)((const char *)header + NLMSG_HDRLEN);
}

/* Find the attribute among those after the message: rtnetlink(7). */
static uint64_t
get_cgroup_id(const struct nlmsghdr *header)
{
	const char *next = (const char *)(get_message(header) + 1);
	const char *end = (const char *)header + header->nlmsg_len;
	struct rtattr attribute;
	uint64_t id = 0;

	while (end - next >= (ptrdiff_t)sizeof(attribute)) {
		memcpy(&attribute, next, sizeof(attribute));
		if (attribute.rta_len < sizeof(attribute) ||
		    attribute.rta_len > end - next)
			break;
		if (attribute.rta_type == INET_DIAG_CGROUP_ID &&
		    attribute.rta_len == RTA_LENGTH(sizeof(id)))
			memcpy(&id, next + RTA_LENGTH(0), sizeof(id));
		next += RTA_ALIGN(attribute.rta_len);
	}
	return id;
}

/* The kernel has answered when the question is sent. */
static ssize_t
receive(int netlink_fd, union answer *ret_answer)
{
	struct sockaddr_nl from = { .nl_pid = 1 };
	socklen_t length = sizeof(from);
	ssize_t n = recvfrom(netlink_fd, ret_answer, sizeof(*ret_answer),
	    MSG_DONTWAIT, (struct sockaddr *)&from, &length);

	return from.nl_pid == 0 ? n : -1; /* 0: the kernel */
}

static void
take_answer(const struct question *question, const struct nlmsghdr *header,
    struct submitter *ret_submitter)
{
	const struct inet_diag_msg *found = get_message(header);

	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    header->nlmsg_len < NLMSG_LENGTH(sizeof(*found)) ||
	    !is_about(question, found))
		return;
	ret_submitter->is_known = true;
	ret_submitter->uid = found->idiag_uid;
	ret_submitter->cgroup_id = get_cgroup_id(header);
}

static void
ask(int netlink_fd, struct question *question, struct submitter *ret_submitter)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	static uint32_t number;
	union answer answer;

	question->header.nlmsg_seq = ++number;
	if (sendto(netlink_fd, question, sizeof(*question), MSG_DONTWAIT,
		(const struct sockaddr *)&kernel, sizeof(kernel)) == -1)
		return;
	for (int i = 0; i < ANSWERS_MAX; i++) {
		ssize_t n = receive(netlink_fd, &answer);

		if (n < (ssize_t)sizeof(answer.header) ||
		    !NLMSG_OK(&answer.header, (size_t)n))
			return;
		if (answer.header.nlmsg_seq != number)
			continue;
		take_answer(question, &answer.header, ret_submitter);
		return;
	}
}

static void
identify_tcp(int fd, int netlink_fd, struct submitter *ret_submitter)
{
	struct question question;
	int own_fd;

	if (!make_question(fd, &question))
		return;
	if (netlink_fd >= 0) {
		ask(netlink_fd, &question, ret_submitter);
	} else if ((own_fd = submitter_open_netlink()) >= 0) {
		ask(own_fd, &question, ret_submitter);
		close(own_fd);
	}
}

/* ---- UNIX sockets -------------------------------------------------------- */

/* Get what the kernel noted of the process that connected. */
static bool
get_credentials(int fd, struct ucred *ret_credentials)
{
	socklen_t length = sizeof(*ret_credentials);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_credentials,
		   &length) == 0;
}

static void
identify_unix(int fd, struct submitter *ret_submitter)
{
	struct ucred credentials;

	if (!get_credentials(fd, &credentials) || credentials.uid == (uid_t)-1)
		return;
	ret_submitter->is_known = true;
	ret_submitter->uid = credentials.uid;
}

static bool
is_running(int pidfd)
{
	struct pollfd pfd = { pidfd, POLLIN, 0 };

	return poll(&pfd, 1, 0) == 0;
}

/* Read /proc/PID/cgroup. While the process runs, no other one has its id.
 * Returns whether it can be read. */
static bool
find_unit_by_pid(pid_t pid, int pidfd, char ret_unit[CGROUP_UNIT_SIZE])
{
	char path[64], text[ANSWER_SIZE];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	if (is_running(pidfd))
		(void)cgroup_get_unit_of_process(text, ret_unit);
	return true;
}

/* Where /proc is out of reach, as in a sandbox, ask for the control group
 * (Linux 6.13). */
static bool
find_unit_by_pidfd(int pidfd, uid_t uid, char ret_unit[CGROUP_UNIT_SIZE])
{
	struct submitter_pidfd_info info = { .mask = PIDFD_INFO_CGROUPID };

	return ioctl(pidfd, SUBMITTER_PIDFD_GET_INFO, &info) == 0 &&
	    (info.mask & PIDFD_INFO_CGROUPID) != 0 &&
	    cgroup_find_unit(cgroup_root(), info.cgroup_id, uid, ret_unit);
}

static void
find_unit_unix(int fd, struct submitter *submitter)
{
	struct ucred credentials;
	int pidfd = -1;
	socklen_t length = sizeof(pidfd);

	if (!get_credentials(fd, &credentials) || credentials.pid <= 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) == -1)
		return;
	if (!find_unit_by_pid(credentials.pid, pidfd, submitter->unit))
		(void)find_unit_by_pidfd(pidfd, submitter->uid,
		    submitter->unit);
	close(pidfd);
}

/* ---- both ---------------------------------------------------------------- */

static int
get_family(int fd)
{
	int family = AF_UNSPEC;
	socklen_t length = sizeof(family);

	(void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &length);
	return family;
}

void
submitter_identify(int fd, int netlink_fd, struct submitter *ret_submitter)
{
	*ret_submitter = (struct submitter){ .is_known = false };
	switch (get_family(fd)) {
	case AF_UNIX:
		identify_unix(fd, ret_submitter);
		break;
	case AF_INET:
	case AF_INET6:
		identify_tcp(fd, netlink_fd, ret_submitter);
		break;
	default:
		break;
	}
}

void
submitter_find_unit(int fd, struct submitter *submitter)
{
	if (!submitter->is_known)
		return;
	if (submitter->cgroup_id != 0)
		(void)cgroup_find_unit(cgroup_root(), submitter->cgroup_id,
		    submitter->uid, submitter->unit);
	else if (get_family(fd) == AF_UNIX)
		find_unit_unix(fd, submitter);
}

/* ---- as text ------------------------------------------------------------- */

void
submitter_format(const struct submitter *submitter,
    char ret_text[SUBMITTER_TEXT_SIZE])
{
	bool has_unit = *submitter->unit != '\0';

	(void)snprintf(ret_text, SUBMITTER_TEXT_SIZE, "uid=%u%s%s",
	    submitter->uid, has_unit ? " unit=" : "",
	    has_unit ? submitter->unit : "");
}

static int
parse_uid(const char *text, uid_t *ret_uid)
{
	const char *error;
	long long uid = strtonum(text, 0, UINT32_MAX, &error);

	if (error != NULL)
		return -EBADMSG;
	*ret_uid = (uid_t)uid;
	return 0;
}

int
submitter_parse(const char *text, struct submitter *ret_submitter)
{
	char copy[SUBMITTER_TEXT_SIZE * 2], *rest = copy, *word;

	*ret_submitter = (struct submitter){ .is_known = false };
	if (strlcpy(copy, text, sizeof(copy)) >= sizeof(copy))
		return -EBADMSG;
	while ((word = strsep(&rest, " ")) != NULL) {
		if (strncmp(word, "uid=", 4) == 0) {
			if (parse_uid(word + 4, &ret_submitter->uid) < 0)
				return -EBADMSG;
			ret_submitter->is_known = true;
		} else if (strncmp(word, "unit=", 5) == 0) {
			if (!is_cgroup_unit(word + 5))
				return -EBADMSG;
			(void)strlcpy(ret_submitter->unit, word + 5,
			    sizeof(ret_submitter->unit));
		}
	}
	return ret_submitter->is_known ? 0 : -EBADMSG;
}
