/* SPDX-License-Identifier: ISC */

#ifndef SYSTEMD_H
#define SYSTEMD_H

#include <stdbool.h>

/* Whether a descriptor is a socket that listens. */
bool is_listening(int fd);

/* Whether a descriptor is a socket to ask the kernel by, of a network namespace
 * that may be another one than ours (systemd.socket(5), ListenNetlink=). */
bool is_netlink(int fd);

/*
 * Take the sockets that systemd has passed to this process (sd_listen_fds(3)):
 * to listen on, and to ask the kernel by. Their descriptors follow each other.
 *
 * ret_first_fd		the first one's, if there are any.
 *
 * Returns how many, 0 if there are none; the process of one client finds that
 * out without loading libsystemd; or a negative errno. Exits if libsystemd
 * cannot be loaded.
 */
int systemd_take_sockets(int *ret_first_fd);

/*
 * Notify systemd of the listener's state, if systemd wants that
 * (sd_notify(3)).
 *
 * state	"READY=1", "STOPPING=1", "STATUS=..."
 */
void systemd_notify(const char *state);

#endif
