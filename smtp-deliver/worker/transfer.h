/* SPDX-License-Identifier: ISC */

#ifndef TRANSFER_H
#define TRANSFER_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp-deliver/client/transaction.h"
#include "smtp-deliver/worker/evidence.h"
#include "smtp-deliver/worker/job.h"
#include "smtp-deliver/worker/outgoing.h"

/* One message on its way to the hosts of a destination: what is sent to them,
 * and what they have done so far. */
struct transfer {
	struct job *job;
	bool is_over; /* no other host may be tried now */
	unsigned contents_deferred; /* sent, or a part of it, in vain */
	struct evidence evidence;
	bool is_prepared;
	struct outgoing outgoing; /* if it is prepared */
};

/* Begin, with all recipients deferred. The job is used from now on. */
void transfer_begin(struct transfer *transfer, struct job *job);

/* Whether REQUIRETLS must be met. A notice goes without it rather than not at
 * all (RFC 8689 section 5). */
static inline bool
transfer_is_requiretls(const struct transfer *transfer)
{
	const struct envelope *envelope = &transfer->job->message->envelope;

	return envelope->is_requiretls && *envelope->sender != '\0';
}

/* Whether another host, or address of one, may be tried. */
bool transfer_can_go_on(const struct transfer *transfer);

/* A host is not used; the verdict holds for the open recipients until another
 * host does better. */
void transfer_pass_over(struct transfer *transfer,
    const struct verdict *verdict);

/* A host is not used because it cannot give what the message needs; the verdict
 * holds only if no host can, see transfer_end(). */
void transfer_pass_over_lacking(struct transfer *transfer,
    const struct verdict *verdict);

/*
 * Get the message ready for a host that is connected: edit and sign it, once
 * for all hosts, and compare its needs with what the host offers.
 *
 * dkim		the keys, or NULL.
 * masquerade	other names for senders, or NULL.
 *
 * Returns whether the host may get the message and can take it. If not, the
 * host is passed over; or no other host is tried, as the message cannot be
 * prepared.
 */
bool transfer_prepare(struct transfer *transfer, const struct client *client,
    const struct dkim *dkim, const struct masquerade *masquerade);

/* The prepared message as a transaction takes it.
 *
 * recipients	which of the envelope's get it; used by ret_message.
 */
void transfer_fill_message(const struct transfer *transfer,
    const size_t *recipients, size_t recipient_count,
    struct transaction_message *ret_message);

/* Set the verdicts that follow from all hosts together. */
void transfer_end(struct transfer *transfer, const struct route *route);

#endif
