/* SPDX-License-Identifier: ISC */

#ifndef LISTENER_H
#define LISTENER_H

#include <stddef.h>

#include "smtp-session/settings.h"
#include "smtp-session/peer.h"
#include "smtp-session/reply.h"

#define LISTENER_SOCKETS_MAX 16

/* Sockets that listen: descriptors in a row. They are made non-blocking. */
struct listener_sockets {
	int first_fd;
	size_t count; /* LISTENER_SOCKETS_MAX at the most */
};

/* Hold the session of a client, in a process of its own, which ends behind it.
 * The client is on this host. */
typedef void listener_serve(int fd, const struct session_settings *settings,
    const struct peer *peer);

/*
 * Serve the clients of listening sockets, a child process for each of them, up
 * to the bounds in settings. Who comes in excess is told 421; who is not on
 * this host is told nothing. Tells systemd, if that has asked, how it is.
 *
 * Returns 0 when nobody has been there for settings->idle_timeout_sec, or when
 * the sessions have ended that SIGTERM or SIGINT found; or a negative errno if
 * it could not begin.
 */
int listener_run(const struct listener_sockets *sockets,
    const struct session_settings *settings, listener_serve *serve);

/* Say a reply to every client that is waiting, and no more. */
void listener_turn_away(const struct listener_sockets *sockets,
    const struct reply *reply);

#endif
