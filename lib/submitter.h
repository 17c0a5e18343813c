/* SPDX-License-Identifier: ISC */

#ifndef SUBMITTER_H
#define SUBMITTER_H

#include <sys/ioctl.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/cgroup.h"

/* PIDFD_GET_INFO and the first version of its struct (Linux 6.13), which the
 * headers of most systems lack. For lib/submitter.c and lib/filter.c. */
struct submitter_pidfd_info {
	uint64_t mask;
	uint64_t cgroup_id;
	uint32_t ids[12];
};
#define SUBMITTER_PIDFD_GET_INFO _IOWR(0xff, 11, struct submitter_pidfd_info)

/* "uid=4294967295 unit=..." with a NUL. */
#define SUBMITTER_TEXT_SIZE (CGROUP_UNIT_SIZE + 32)

/* Who is at the other end of a connection, as the kernel knows it. */
struct submitter {
	bool is_known; /* else nothing is: the rest is 0 and "" */
	uid_t uid;
	char unit[CGROUP_UNIT_SIZE]; /* the systemd unit, or "" */
	uint64_t cgroup_id; /* until the unit is found, or 0 */
};

/*
 * Open a socket to ask the kernel about connections of TCP. It answers for the
 * network namespace that this process is in now.
 *
 * Returns the descriptor, which the caller closes, or a negative errno.
 */
int submitter_open_netlink(void);

/*
 * Read answers that nobody has read: systemd would start the next listener for
 * them. Never waits.
 *
 * netlink_fd	from submitter_open_netlink() or systemd, or negative: does
 *		nothing.
 */
void submitter_drain_netlink(int netlink_fd);

/*
 * Identify the user at the other end of a connected socket: a UNIX socket, or
 * TCP to a loopback address. Where the kernel does not tell, as for a client
 * that has closed its socket, it is not known. Never waits.
 *
 * netlink_fd	from submitter_open_netlink(), or negative: one is opened for
 *		this question.
 */
void submitter_identify(int fd, int netlink_fd,
    struct submitter *ret_submitter);

/* Find the unit of a submitter, if that is certain. A process that has ended
 * has none. */
void submitter_find_unit(int fd, struct submitter *submitter);

/* Write "uid=33 unit=apache2.service", or "uid=33", of a known submitter. */
void submitter_format(const struct submitter *submitter,
    char ret_text[SUBMITTER_TEXT_SIZE]);

/* Read it back. Other words are ignored. Returns 0, or -EBADMSG without a valid
 * uid; ret_submitter is unspecified then. */
int submitter_parse(const char *text, struct submitter *ret_submitter);

#endif
