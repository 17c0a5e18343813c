/* SPDX-License-Identifier: ISC */

#ifndef PRESENCE_H
#define PRESENCE_H

#include <stdint.h>

/*
 * How many sessions there are: each holds a lock on an octet of its own of one
 * file, and the kernel drops it with the process, however that ends.
 *
 * fd	from spool_open_sessions(); stays the caller's. Whoever enters keeps it
 *	open, and closes no other descriptor of that file: that would leave.
 *
 * Both return 0 or a negative errno.
 */
int presence_enter(int fd);
int presence_count(int fd, uint64_t *ret_count);

#endif
