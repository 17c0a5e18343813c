/* SPDX-License-Identifier: ISC */

#ifndef SESSION_SANDBOX_H
#define SESSION_SANDBOX_H

#include <stdbool.h>

#include "lib/sandbox.h"
#include "smtp-session/settings.h"

/* Close the wall around a session. From there on nothing can be done but what a
 * session is there for, with what was left open in the sandbox before. */
void sandbox_enter_session(const struct session_settings *settings,
    struct sandbox *sandbox);

/*
 * Close the wall around a listener, which its children share until they close
 * narrower ones of their own. The settings must stay valid.
 */
void sandbox_enter_listener(const struct session_settings *settings);

/* Whether the spool is another one than when that was done: it is out of reach
 * of all children then, and the listener is to be started anew. */
bool sandbox_is_listener_outdated(void);

#endif
