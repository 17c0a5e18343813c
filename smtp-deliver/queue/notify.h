/* SPDX-License-Identifier: ISC */

#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>

#include "lib/counters.h"
#include "smtp-deliver/settings.h"
#include "lib/spool/claim.h"
#include "smtp-deliver/queue/notice.h"

/* What it works with. */
struct notifier {
	struct spool *spool;
	struct counters *counters;
	const struct deliver_settings *settings;
};

/*
 * Whether a message's sender is to be told such a thing of a recipient. The null
 * sender is not: notices come from it, and are not answered by others (RFC 5321
 * section 4.5.5). Others are as NOTIFY says (RFC 3461 section 4.1): without it
 * of a failure and a delay, but not of success.
 */
bool notify_is_wanted(const struct claim *claim, size_t recipient,
    enum notice_kind kind);

/*
 * Tell the sender of a claimed message of those of its recipients that have an
 * outcome, and of whom he is to be told; there must be one. What is on record of
 * them makes a notice, which is put into the queue. When this returns 0 it is
 * durable.
 *
 * Returns 0 or a negative errno; nobody was told anything then.
 */
int notify_sender(const struct notifier *notifier, const struct claim *claim,
    enum notice_kind kind, enum outcome outcome);

#endif
