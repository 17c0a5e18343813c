/* SPDX-License-Identifier: ISC */

/*
 * refusal.c - refusals that are due to the connection.
 */

#include "config.h"

#include <string.h>

#include "smtp-deliver/worker/refusal.h"

static bool
has_code(const struct verdict *verdict, const char *code)
{
	return strncmp(verdict->reply, code, strlen(code)) == 0;
}

bool
refusal_defer_session(enum transaction_refusal refusal,
    struct verdict *verdicts, size_t count)
{
	bool is_any = false;

	for (size_t i = 0; i < count; i++) {
		if (refusal != REFUSAL_MAIL && !has_code(&verdicts[i], "503"))
			continue;
		verdict_defer(&verdicts[i]);
		is_any = true;
	}
	return is_any;
}

bool
refusal_is_crowding(enum transaction_refusal refusal,
    const struct verdict *verdicts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (verdicts[i].outcome != OUTCOME_DEFERRED ||
		    *verdicts[i].reply != '4' ||
		    (refusal != REFUSAL_MAIL &&
			!has_code(&verdicts[i], "421") &&
			!has_code(&verdicts[i], "432")))
			return false;
	return true;
}
