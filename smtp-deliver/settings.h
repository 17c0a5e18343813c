/* SPDX-License-Identifier: ISC */

#ifndef DELIVER_SETTINGS_H
#define DELIVER_SETTINGS_H

#include "lib/settings.h"

/* What smtp-deliver reads of the environment. */
#define deliver_settings settings

#endif
