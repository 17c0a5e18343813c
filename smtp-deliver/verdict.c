/* SPDX-License-Identifier: ISC */

/*
 * verdict.c - what became of a recipient, and why.
 */

#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/text.h"
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

void
verdict_defer(struct verdict *verdict)
{
	verdict->outcome = OUTCOME_DEFERRED;
	verdict->status[0] = '4';
}

static bool
has_end(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

bool
verdict_is_valid(const struct verdict *verdict)
{
	return verdict->outcome >= OUTCOME_DELIVERED &&
	    verdict->outcome <= OUTCOME_FAILED &&
	    has_end(verdict->status, sizeof(verdict->status)) &&
	    *verdict->status != '\0' &&
	    verdict->status[strspn(verdict->status, "0123456789.")] == '\0' &&
	    has_end(verdict->host, sizeof(verdict->host)) &&
	    has_end(verdict->tls, sizeof(verdict->tls)) &&
	    has_end(verdict->policy, sizeof(verdict->policy)) &&
	    has_end(verdict->fingerprint, sizeof(verdict->fingerprint)) &&
	    has_end(verdict->reply, sizeof(verdict->reply)) &&
	    has_end(verdict->reason, sizeof(verdict->reason));
}

void
verdict_fill_record(const struct verdict *verdict, struct audit_record *record)
{
	record->host = text_or_null(verdict->host);
	record->policy = text_or_null(verdict->policy);
	record->fingerprint = text_or_null(verdict->fingerprint);
	record->status = verdict->status;
	record->reply = text_or_null(verdict->reply);
	record->reason = text_or_null(verdict->reason);
}
