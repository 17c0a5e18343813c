/* SPDX-License-Identifier: ISC */

#ifndef CONNECT_H
#define CONNECT_H

#include <sys/socket.h>

#include <stdint.h>

/* Connect within the deadline. Returns a socket that does not block, or a
 * negative errno. */
int connect_socket(const struct sockaddr *address, socklen_t address_length,
    int64_t deadline_ms);

#endif
