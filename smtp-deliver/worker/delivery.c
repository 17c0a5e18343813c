/* SPDX-License-Identifier: ISC */

/*
 * delivery.c - a job while it is tried: who is still to get the message, what
 * hosts have done, what is sent, and what that comes to.
 *
 * Talks to no host: worker.c does.
 */

#include "config.h"

#include <string.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/client/connect.h"
#include "smtp-deliver/net/network.h"
#include "smtp-deliver/worker/delivery.h"

static const char *
message_id(const struct delivery *delivery)
{
	return delivery->job->message->envelope.id;
}

void
delivery_log_passed_over(const struct delivery *delivery,
    const struct verdict *verdict)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_HOST_PASSED_OVER,
	    .message = message_id(delivery),
	    .host = verdict->host,
	    .policy = *verdict->policy != '\0' ? verdict->policy : NULL,
	    .fingerprint =
		*verdict->fingerprint != '\0' ? verdict->fingerprint : NULL,
	    .status = verdict->status,
	    .reply = *verdict->reply != '\0' ? verdict->reply : NULL,
	    .reason = *verdict->reason != '\0' ? verdict->reason : NULL,
	});
}

void
delivery_set_open(struct delivery *delivery, const struct verdict *verdict)
{
	for (size_t i = 0; i < delivery->open_count; i++)
		delivery->job->verdicts[delivery->open[i]] = *verdict;
}

bool
delivery_is_tls_needed(const struct delivery *delivery)
{
	return delivery->job->message->envelope.is_requiretls;
}

void
delivery_take_verdicts(struct delivery *delivery,
    const struct verdict *verdicts)
{
	size_t left = 0;

	for (size_t i = 0; i < delivery->open_count; i++) {
		size_t n = delivery->open[i];

		delivery->job->verdicts[n] = verdicts[i];
		if (!is_final(verdicts[i].outcome))
			delivery->open[left++] = n;
	}
	delivery->open_count = left;
}

/* Find out what is sent: what is stored, with other senders towards relays. */
static int
write_letter(struct delivery *delivery, const struct masquerade *masquerade)
{
	delivery->content.message = delivery->job->message;
	delivery->content.edit_count = 0;
	delivery->sender = delivery->job->message->envelope.sender;
	if (masquerade == NULL || masquerade->count == 0)
		return 0;
	if (masquerade_address(masquerade, delivery->sender,
		delivery->other_sender))
		delivery->sender = delivery->other_sender;
	return masquerade_content(masquerade, &delivery->content);
}

bool
delivery_prepare(struct delivery *delivery, const struct dkim *dkim,
    const struct masquerade *masquerade)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	int r;

	if (delivery->is_signed)
		return true;
	if ((r = write_letter(delivery, masquerade)) == 0)
		r = dkim_sign(dkim, &delivery->content, clock_real_ms() / 1000,
		    delivery->signatures);
	delivery->is_signed = r == 0;
	if (r == 0)
		return true;
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.3.0",
	    "the message could not be read, or signed: %s", strerror(-r));
	delivery_set_open(delivery, &verdict);
	delivery->is_over = true;
	return false;
}

void
delivery_log_missed(const struct delivery *delivery, const char *policy,
    const struct verdict *verdict)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_POLICY_MISSED,
	    .message = message_id(delivery),
	    .host = verdict->host,
	    .policy = policy,
	    .reason = verdict->reason,
	});
}

void
delivery_pass_over(struct delivery *delivery, const struct verdict *verdict)
{
	delivery_log_passed_over(delivery, verdict);
	delivery_set_open(delivery, verdict);
}

void
delivery_pass_over_lacking(struct delivery *delivery,
    const struct verdict *verdict)
{
	delivery_log_passed_over(delivery, verdict);
	delivery->lack = *verdict;
	delivery->lack_count++;
}

void
delivery_note_missed(struct delivery *delivery, const struct trust *trust,
    const struct verdict *verdict)
{
	if (!trust->is_tls_required || *verdict->reply != '\0' ||
	    strncmp(verdict->status, "4.7.", 4) != 0)
		return;
	delivery->missed = *verdict;
	delivery->was_missed = true;
}

void
delivery_set_unreachable(struct delivery *delivery, const struct route *route)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	if (delivery->was_other_family)
		verdict_set(&verdict, OUTCOME_DEFERRED, "4.4.4",
		    "no host for the domain has an address that "
		    "SMTP_IP_FAMILY allows");
	else if (delivery->was_dns_trouble)
		verdict_set(&verdict, OUTCOME_DEFERRED, "4.4.3",
		    "the DNS gave no address of a host for the domain");
	else if (route->is_relayed)
		verdict_set(&verdict, OUTCOME_DEFERRED, "4.4.4",
		    "no relay has an address");
	else if (route->is_loop)
		route_set_loop(&verdict);
	else
		verdict_set(&verdict, OUTCOME_FAILED, "5.4.4",
		    "no host for the domain has an address");
	delivery_set_open(delivery, &verdict);
}

enum reach
delivery_reach(const struct delivery *delivery)
{
	if (delivery->was_connected ||
	    (delivery->was_reached && delivery->lack_count > 0))
		return REACH_HOST;
	if (!delivery->was_any_address && delivery->was_dns_trouble)
		return network_has_resolver() ? REACH_NOWHERE
					      : REACH_NO_RESOLVER;
	if (!delivery->was_any_address || delivery->lack_count > 0)
		return REACH_NOWHERE;
	if (delivery->was_reached || delivery->was_withheld ||
	    (delivery->failures & CONNECT_FAILED_HERE) != 0)
		return REACH_UNUSABLE;
	/* A host that has IPv6 only is not there for who has IPv4 only. */
	if (delivery->failures == CONNECT_FAILED_ROUTE &&
	    !network_has_any_route())
		return REACH_NO_ROUTE;
	return REACH_NO_HOST;
}
