/* SPDX-License-Identifier: ISC */

#ifndef REFUSAL_H
#define REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp-deliver/client/transaction.h"
#include "smtp-deliver/verdict.h"

/*
 * What a host refused because of the connection, and not because of the
 * message. verdicts has one for each of the count recipients of a transaction.
 */

/* Over a connection that has served other messages, a refusal of MAIL or a
 * command out of sequence (503) may be due to the connection. Defer such
 * verdicts: a fresh connection decides. Returns whether there is one. */
bool refusal_defer_session(enum transaction_refusal refusal,
    struct verdict *verdicts, size_t count);

/* Whether all recipients are deferred as they may be over one connection too
 * many: at MAIL, or with a code for that (421, 432). */
bool refusal_is_crowding(enum transaction_refusal refusal,
    const struct verdict *verdicts, size_t count);

#endif
