/* SPDX-License-Identifier: ISC */

#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>

#include "lib/counters.h"
#include "smtp-deliver/settings.h"
#include "lib/spool/claim.h"
#include "smtp-deliver/queue/notice.h"

/* What notices need. */
struct notifier {
	struct spool *spool;
	struct counters *counters;
	const struct deliver_settings *settings;
};

/*
 * Whether the sender gets a DSN of this kind for a recipient. Never for the
 * null sender (RFC 5321 section 4.5.5): notices come from it. Otherwise as
 * NOTIFY says (RFC 3461 section 4.1); without NOTIFY for a failure or a delay,
 * but not for success.
 */
bool notify_is_wanted(const struct claim *claim, size_t recipient,
    enum notice_kind kind);

/* Whether a notice of this kind is about a recipient: it is wanted, and the
 * recipient is in such a state; and whether there is such a recipient. */
bool notify_is_about(const struct claim *claim, size_t recipient,
    enum notice_kind kind);
bool notify_is_due(const struct claim *claim, enum notice_kind kind);

/*
 * Notify the sender of a claimed message of the recipients that such a notice
 * is about; there must be one. The notice is made of what is on record of them,
 * and put into the queue. When this returns 0 it is durable.
 *
 * Returns 0 or a negative errno; no notice was sent then.
 */
int notify_sender(const struct notifier *notifier, const struct claim *claim,
    enum notice_kind kind);

/* Whether a claimed message may be a notice of ours that has failed because no
 * host took the whole message in it, 8-bit or large. notify_shorten() puts it
 * into the queue again, with the header of that message only (RFC 3461 section
 * 4.3), as a message of its own. Returns 0, -ENOENT if it is none, or another
 * negative errno. */
bool notify_can_shorten(const struct claim *claim);
int notify_shorten(const struct notifier *notifier, const struct claim *claim);

#endif
