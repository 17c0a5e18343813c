/* SPDX-License-Identifier: ISC */

#ifndef WALL_H
#define WALL_H

#include <stdbool.h>

#include "lib/sandbox.h"
#include "lib/settings.h"

/* Close the wall around a session. From there on nothing can be done but what a
 * session is there for, with what was left open in the sandbox before. */
void wall_close_session(const struct settings *settings,
    struct sandbox *sandbox);

/*
 * Close the wall around a listener, which its children share until they close
 * narrower ones of their own. The settings must stay valid.
 */
void wall_close_listener(const struct settings *settings);

/* Whether the spool is another one than when that was done: it is out of reach
 * of all children then, and the listener is to be started anew. */
bool wall_of_listener_is_outdated(void);

#endif
