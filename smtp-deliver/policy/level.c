/* SPDX-License-Identifier: ISC */

/*
 * level.c - levels of TLS, by name. Pure.
 */

#include "config.h"

#include "smtp-deliver/policy/level.h"

static const char *const names[] = {
	[LEVEL_NONE] = "none",
	[LEVEL_MAY] = "may",
	[LEVEL_ENCRYPT] = "encrypt",
	[LEVEL_FINGERPRINT] = "fingerprint",
	[LEVEL_VERIFY] = "verify",
	[LEVEL_STS] = "sts",
	[LEVEL_DANE] = "dane",
};

const char *
level_name(enum level level)
{
	return names[level];
}
