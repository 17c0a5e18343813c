/* SPDX-License-Identifier: ISC */

#ifndef SESSION_SANDBOX_H
#define SESSION_SANDBOX_H

#include <stdbool.h>

#include "lib/sandbox.h"
#include "smtp-session/settings.h"

/* Enter the sandbox of a session. Afterwards the process can do only what a
 * session needs, with the paths that were allowed before. */
void sandbox_enter_session(const struct session_settings *settings,
    struct sandbox *sandbox);

/*
 * Enter the sandbox of a listener. Its children inherit it until they enter
 * narrower ones of their own. The settings must stay valid.
 */
void sandbox_enter_listener(const struct session_settings *settings);

/* Whether the spool or the certificate was replaced since then. No child can
 * reach the new one, so the listener must be restarted. */
bool sandbox_is_listener_outdated(const struct session_settings *settings);

#endif
