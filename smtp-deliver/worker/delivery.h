/* SPDX-License-Identifier: ISC */

#ifndef DELIVERY_H
#define DELIVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/address.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/content/content.h"
#include "smtp-deliver/content/masquerade.h"
#include "smtp-deliver/worker/channel.h"
#include "smtp-deliver/route/route.h"
#include "smtp-deliver/worker/job.h"
#include "smtp-deliver/policy/trust.h"
#include "smtp-deliver/verdict.h"

/* A job while it is tried: who is open, and the worst that hosts did. */
struct delivery {
	const struct job *job;
	size_t *open; /* of the job's recipients */
	size_t open_count;
	bool is_over; /* no other host may be tried now */
	bool was_any_address;
	bool was_reached; /* a host answered to a connection, */
	bool was_connected; /* was of use, and the message offered to it */
	bool was_withheld; /* a host was not even tried */
	unsigned failures; /* to connect, of enum connect_failure */
	bool was_dns_trouble;
	int host_count; /* that were looked at and may take mail */
	bool was_other_family;
	int lack_count; /* of these: that cannot give what the message needs */
	struct verdict lack; /* the last of them */
	bool was_missed; /* a TLS policy was not met, */
	struct verdict missed; /* so, at the last */
	bool is_signed; /* signatures are there, or are not to be */
	struct content content; /* what is sent */
	const char *sender; /* who it is from; */
	char other_sender[ADDRESS_SIZE]; /* called so towards relays */
	char signatures[DKIM_FIELDS_SIZE];
};

/* Whether the message is to go to hosts that vouch for TLS alone (RFC 8689). */
bool delivery_is_tls_needed(const struct delivery *delivery);

/*
 * Find out what is sent, and sign it, once for all hosts. The message is not to
 * go out otherwise because something on this host is wrong: the open recipients
 * are deferred then, and the trial is over.
 *
 * dkim		who signs, or NULL.
 * masquerade	other names for senders, or NULL.
 *
 * Returns whether it is ready.
 */
bool delivery_prepare(struct delivery *delivery, const struct dkim *dkim,
    const struct masquerade *masquerade);

/* Give the open recipients a verdict. */
void delivery_set_open(struct delivery *delivery,
    const struct verdict *verdict);

/* Take the verdicts of a host, one for each open recipient. Who was deferred
 * stays open: another host may do better. */
void delivery_take_verdicts(struct delivery *delivery,
    const struct verdict *verdicts);

/* A host is not used. */
void delivery_pass_over(struct delivery *delivery,
    const struct verdict *verdict);

/* A host cannot give what the message needs, as REQUIRETLS or 8BITMIME: nothing
 * is wrong with it for others. */
void delivery_pass_over_lacking(struct delivery *delivery,
    const struct verdict *verdict);

/* An address of a host is not used: for the audit trail alone. */
void delivery_log_passed_over(const struct delivery *delivery,
    const struct verdict *verdict);

/* What a policy, were it not only tested or put aside, would have kept from
 * being used. And note what is not as the host's policy has it, where that can
 * be put aside. */
void delivery_log_missed(const struct delivery *delivery, const char *policy,
    const struct verdict *verdict);
void delivery_note_missed(struct delivery *delivery, const struct trust *trust,
    const struct verdict *verdict);

/* No host of the route has an address. */
void delivery_set_unreachable(struct delivery *delivery,
    const struct route *route);

/* How far the trial has got: what that tells of the destination. */
enum reach delivery_reach(const struct delivery *delivery);

#endif
