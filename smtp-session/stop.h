/* SPDX-License-Identifier: ISC */

#ifndef STOP_H
#define STOP_H

#include <stdbool.h>

/*
 * Have SIGTERM end the session of this process after the current transaction,
 * with a reply to the client, instead of at once. Without this call no stop is
 * ever due.
 *
 * socket_fd	the client's connection, which is a socket; stays the caller's.
 */
void stop_on_sigterm(int socket_fd);

/*
 * Around a wait for the client during which the session may be ended: a
 * SIGTERM then appears as the end of input, unless stop_is_due() was true
 * before.
 */
void stop_begin_wait(void);
void stop_end_wait(void);

/* Whether the session has to end. */
bool stop_is_due(void);

#endif
