/* SPDX-License-Identifier: ISC */

/*
 * stop.c - end a session by SIGTERM, but not in the middle of a transaction.
 *
 * The handler ends the input while the session waits for its client. A caller
 * that checks stop_is_due() after stop_begin_wait() misses no signal. A process
 * has one session, so the state is static.
 */

#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <signal.h>

#include "smtp-session/stop.h"

static volatile sig_atomic_t is_due, is_waiting;
static int client_fd = -1;

static void
handle_signal(int signal_number)
{
	int saved_errno = errno;

	(void)signal_number;
	is_due = 1;
	if (is_waiting)
		(void)shutdown(client_fd, SHUT_RD);
	errno = saved_errno;
}

void
stop_on_sigterm(int socket_fd)
{
	struct sigaction action = { .sa_handler = handle_signal,
		.sa_flags = SA_RESTART };

	client_fd = socket_fd;
	sigemptyset(&action.sa_mask);
	(void)sigaction(SIGTERM, &action, NULL);
}

void
stop_begin_wait(void)
{
	is_waiting = 1;
}

void
stop_end_wait(void)
{
	is_waiting = 0;
}

bool
stop_is_due(void)
{
	return is_due != 0;
}
