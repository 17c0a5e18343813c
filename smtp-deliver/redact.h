/* SPDX-License-Identifier: ISC */

#ifndef REDACT_H
#define REDACT_H

#include "lib/spool/envelope.h"
#include "lib/spool/spool.h"
#include "smtp-deliver/verdict.h"

#define REDACT_SIZE (2 * VERDICT_TEXT_SIZE)

/* Whose words and which addresses a text may quote. */
struct redact {
	struct spool *spool; /* for tokens; NULL: this process has no key */
	const char *sender; /* "": none */
	const char *recipient; /* "": none */
};

/*
 * Copy a reply or a reason for the journal, without addresses (promise P6).
 * The sender and the recipient become their tokens, in any case, and so do
 * their local parts alone; other addresses become the tokens of what the text
 * has. Without a spool "(address)" stands for all of them. What does not fit
 * is cut off.
 *
 * Returns ret_text; or the text itself if the journal may have addresses
 * (SMTP_DEBUG), or NULL if it is NULL.
 */
const char *redact_text(const struct redact *redact, const char *text,
    char ret_text[REDACT_SIZE]);

#endif
