/* SPDX-License-Identifier: ISC */

#ifndef MANAGER_H
#define MANAGER_H

#include <stdbool.h>

#define MANAGER_FDS_START 3

/*
 * Take the descriptors that were passed to this process, numbered from
 * MANAGER_FDS_START on (sd_listen_fds(3)): they are closed upon exec from here
 * on, and programs that this one starts are not told of them.
 *
 * Returns how many, 0 if none; or a negative errno: -EINVAL what the
 * environment says cannot be understood, -EBADF a descriptor is not open.
 */
int manager_take_fds(void);

/*
 * Tell it how this process is, if it has asked for that (sd_notify(3)).
 *
 * state	"READY=1", "STOPPING=1", "STATUS=..."
 */
void manager_notify(const char *state);

/* Whether a descriptor is a socket that listens for streams. */
bool is_listening(int fd);

#endif
