/* SPDX-License-Identifier: ISC */

/*
 * verdict.c - what became of a recipient.
 */

#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "smtp-deliver/verdict.h"

void
verdict_set(struct verdict *verdict, enum outcome outcome, const char *status,
    const char *format, ...)
{
	va_list args;

	verdict->outcome = outcome;
	(void)strlcpy(verdict->status, status, sizeof(verdict->status));
	verdict->reply[0] = '\0';
	va_start(args, format);
	(void)vsnprintf(verdict->reason, sizeof(verdict->reason), format, args);
	va_end(args);
}
