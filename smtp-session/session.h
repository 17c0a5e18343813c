/* SPDX-License-Identifier: ISC */

#ifndef SESSION_H
#define SESSION_H

#include "smtp-session/settings.h"
#include "lib/stream.h"
#include "smtp-session/peer.h"

/*
 * Hold one SMTP dialogue, from the greeting to QUIT or the end of the
 * connection. Whatever a client does is part of it and no error.
 *
 * stream	where the client is; stays the caller's.
 * peer		who it is: a local one.
 */
void session_run(struct stream *stream, const struct session_settings *settings,
    const struct peer *peer);

#endif
