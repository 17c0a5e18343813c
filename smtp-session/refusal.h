/* SPDX-License-Identifier: ISC */

#ifndef REFUSAL_H
#define REFUSAL_H

#include "smtp-session/peer.h"
#include "smtp-session/reply.h"

/* Why a listener turns a client away. */
enum refusal {
	REFUSAL_TOTAL, /* SMTP_SESSIONS */
	REFUSAL_CLIENT, /* SMTP_SESSIONS_PER_CLIENT */
	REFUSAL_NO_PROCESS,
	REFUSALS,
};

/* Refusals that are not in the audit trail yet. */
struct refusals {
	unsigned counts[REFUSALS];
	struct peer last_peers[REFUSALS];
};

/* Turn a client away with the reply of that refusal, and count it. */
void refusal_turn_away(struct refusals *refusals, enum refusal refusal, int fd,
    const struct peer *peer);

/* Write what was counted to the audit trail: an event for each kind. */
void refusal_report(struct refusals *refusals);

/*
 * Send a reply, if that is possible at once, and end the output. Input that is
 * there is read and dropped: otherwise the kernel resets the connection and the
 * reply is lost.
 */
void refusal_send(int fd, const struct reply *reply);

#endif
