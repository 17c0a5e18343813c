/* SPDX-License-Identifier: ISC */

#ifndef SESSION_SETTINGS_H
#define SESSION_SETTINGS_H

#include "lib/settings.h"

/* What smtp-session reads of the environment. */
#define session_settings settings

#endif
