/* SPDX-License-Identifier: ISC */

#ifndef SESSION_DIALOGUE_H
#define SESSION_DIALOGUE_H

#include "lib/stream.h"
#include "smtp-session/peer.h"
#include "smtp-session/settings.h"

/*
 * Hold one SMTP dialogue, from the greeting to QUIT or the end of the
 * connection. Nothing that a client does is an error of this function.
 *
 * stream	the client's; stays the caller's.
 * peer		the client, which is local.
 */
void dialogue_hold(struct stream *stream,
    const struct session_settings *settings, const struct peer *peer);

#endif
