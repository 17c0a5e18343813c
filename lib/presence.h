/* SPDX-License-Identifier: ISC */

#ifndef PRESENCE_H
#define PRESENCE_H

#include <stdint.h>

/*
 * Count sessions. Each locks an octet of its own in one file; the kernel
 * releases the lock when the process ends, however that is.
 *
 * fd	from spool_open_sessions(); stays the caller's. A process that entered
 *	keeps it open, and closes no other descriptor of that file: closing one
 *	releases the lock.
 *
 * Both return 0 or a negative errno.
 */
int presence_enter(int fd);
int presence_count(int fd, uint64_t *ret_count);

#endif
