/* SPDX-License-Identifier: ISC */

/*
 * transfer.c - one message on its way to the hosts of a destination.
 *
 * Connects to no host: delivery.c does.
 */

#include "config.h"

#include <string.h>

#include "smtp-deliver/worker/transfer.h"
#include "smtp-deliver/worker/hostlog.h"
#include "smtp-deliver/worker/requirement.h"

void
transfer_begin(struct transfer *transfer, struct job *job)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	transfer->job = job;
	transfer->is_over = false;
	transfer->contents_deferred = 0;
	transfer->evidence = (struct evidence){ .host_count = 0 };
	transfer->is_prepared = false;
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.3.0", "not tried");
	job_set_verdict(job, &verdict);
}

bool
transfer_can_go_on(const struct transfer *transfer)
{
	return !transfer->is_over && job_count_open(transfer->job) > 0;
}

void
transfer_pass_over(struct transfer *transfer, const struct verdict *verdict)
{
	hostlog_passed_over(transfer->job, verdict);
	job_set_open(transfer->job, verdict);
}

void
transfer_pass_over_lacking(struct transfer *transfer,
    const struct verdict *verdict)
{
	hostlog_passed_over(transfer->job, verdict);
	transfer->evidence.lack = *verdict;
	transfer->evidence.lack_count++;
}

void
transfer_fill_message(const struct transfer *transfer, const size_t *recipients,
    size_t recipient_count, struct transaction_message *ret_message)
{
	*ret_message = (struct transaction_message){
		.envelope = &transfer->job->message->envelope,
		.sender = transfer->outgoing.sender,
		.content = &transfer->outgoing.content,
		.octets = transfer->outgoing.octets,
		.fields = transfer->outgoing.signatures,
		.recipients = recipients,
		.recipient_count = recipient_count,
	};
}

/* Edit and sign the message. If that fails something on this host is wrong, and
 * no other host gets the message now. */
static bool
prepare_outgoing(struct transfer *transfer, const struct dkim *dkim,
    const struct masquerade *masquerade)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	int r = 0;

	if (!transfer->is_prepared)
		r = outgoing_prepare(&transfer->outgoing,
		    transfer->job->message, dkim, masquerade);
	transfer->is_prepared = r == 0;
	if (r == 0)
		return true;
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.3.0",
	    "the message could not be read or signed: %s", strerror(-r));
	job_set_open(transfer->job, &verdict);
	transfer->is_over = true;
	return false;
}

bool
transfer_prepare(struct transfer *transfer, const struct client *client,
    const struct dkim *dkim, const struct masquerade *masquerade)
{
	size_t recipients[ENVELOPE_RECIPIENTS_MAX];
	struct transaction_message message;
	struct verdict verdict;

	transfer->evidence.was_reached = true;
	if (transfer_is_requiretls(transfer) &&
	    requirements_check_client(client, &verdict) != REQUIRETLS_MET) {
		transfer_pass_over_lacking(transfer, &verdict);
		return false;
	}
	if (!prepare_outgoing(transfer, dkim, masquerade))
		return false;
	job_list_open(transfer->job, recipients);
	transfer_fill_message(transfer, recipients,
	    job_count_open(transfer->job), &message);
	if (transaction_can_take(client, &message, &verdict))
		return true;
	transfer_pass_over_lacking(transfer, &verdict);
	return false;
}

void
transfer_end(struct transfer *transfer, const struct route *route)
{
	const struct evidence *evidence = &transfer->evidence;
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	if (!evidence->was_any_address) {
		evidence_set_unreachable(evidence, route, &verdict);
		job_set_open(transfer->job, &verdict);
	}
	/* What all hosts lack is final (RFC 6152 section 3, RFC 8689 section
	 * 4.2.1). */
	if (evidence->lack_count > 0 &&
	    evidence->lack_count == evidence->host_count && !transfer->is_over)
		job_set_open(transfer->job, &evidence->lack);
}
