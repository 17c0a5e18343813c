/* SPDX-License-Identifier: ISC */

#ifndef LISTENER_H
#define LISTENER_H

#include <stddef.h>

#include "smtp-session/settings.h"
#include "smtp-session/peer.h"
#include "smtp-session/reply.h"

#define LISTENER_SOCKETS_MAX 17

/* Sockets that listen: descriptors in a row. They are made non-blocking. */
struct listener_sockets {
	int first_fd;
	size_t count; /* LISTENER_SOCKETS_MAX at the most */
	int netlink_fd; /* to identify clients by, or negative */
};

/* Hold the session of a local client, in a process of its own that ends after
 * it. */
typedef void listener_serve(int fd, const struct session_settings *settings,
    const struct peer *peer);

/*
 * Serve the clients of listening sockets, with a child process for each, up to
 * the limits in settings. Clients beyond these get 421; clients that are not on
 * this host get no reply. Notifies systemd of the state, if that is wanted.
 *
 * Returns 0 when there was no session for settings->idle_timeout_sec, or when
 * all sessions have ended after SIGTERM or SIGINT; or a negative errno if it
 * could not begin.
 */
int listener_run(const struct listener_sockets *sockets,
    const struct session_settings *settings, listener_serve *serve);

/* Send a reply to every client that is waiting, and close. */
void listener_turn_away(const struct listener_sockets *sockets,
    const struct reply *reply);

#endif
