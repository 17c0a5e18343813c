/* SPDX-License-Identifier: ISC */

#ifndef STOP_H
#define STOP_H

#include <stdbool.h>

/*
 * Have SIGTERM end this process's session politely instead of at once: the
 * transaction that is under way goes on to its end, then the client is told.
 * Until this was called nothing of the following is ever due.
 *
 * socket_fd	the client's connection, which is a socket; stays the caller's.
 */
void stop_on_sigterm(int socket_fd);

/*
 * Around a wait for the client during which the session may be ended: a
 * SIGTERM then shows as the end of input, if stop_is_due() did not tell before.
 */
void stop_begin_wait(void);
void stop_end_wait(void);

/* Whether the session is to end. */
bool stop_is_due(void);

#endif
