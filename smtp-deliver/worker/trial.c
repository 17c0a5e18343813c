/* SPDX-License-Identifier: ISC */

/*
 * trial.c - a job while it is tried: who is still to get the message, what hosts
 * have done, what is sent, and what that comes to.
 *
 * Talks to no host: worker.c does.
 */

#include "config.h"

#include <string.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/client/connect.h"
#include "smtp-deliver/net/network.h"
#include "smtp-deliver/worker/trial.h"

static const char *
message_id(const struct trial *trial)
{
	return trial->job->task->claim->envelope.id;
}

void
trial_log_passed_over(const struct trial *trial, const struct verdict *verdict)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_HOST_PASSED_OVER,
	    .message = message_id(trial),
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
trial_set_open(struct trial *trial, const struct verdict *verdict)
{
	for (size_t i = 0; i < trial->open_count; i++)
		trial->job->verdicts[trial->open[i]] = *verdict;
}

bool
trial_is_tls_needed(const struct trial *trial)
{
	return trial->job->task->claim->envelope.is_requiretls;
}

void
trial_take_verdicts(struct trial *trial, const struct verdict *verdicts)
{
	size_t left = 0;

	for (size_t i = 0; i < trial->open_count; i++) {
		size_t n = trial->open[i];

		trial->job->verdicts[n] = verdicts[i];
		if (!is_final(verdicts[i].outcome))
			trial->open[left++] = n;
	}
	trial->open_count = left;
}

/* Find out what is sent: what is stored, with other senders towards relays. */
static int
write_letter(struct trial *trial, const struct masquerade *masquerade)
{
	const struct claim *claim = trial->job->task->claim;

	trial->letter.fd = claim->fd;
	trial->letter.offset = claim->content_offset;
	trial->letter.size_bytes = claim->content_size;
	trial->letter.edit_count = 0;
	trial->sender = claim->envelope.sender;
	if (masquerade == NULL || masquerade->count == 0)
		return 0;
	if (masquerade_address(masquerade, trial->sender, trial->other_sender))
		trial->sender = trial->other_sender;
	return masquerade_letter(masquerade, &trial->letter);
}

bool
trial_prepare(struct trial *trial, const struct dkim *dkim,
    const struct masquerade *masquerade)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	int r;

	if (trial->is_signed)
		return true;
	if ((r = write_letter(trial, masquerade)) == 0)
		r = dkim_sign(dkim, &trial->letter, clock_real_ms() / 1000,
		    trial->signatures);
	trial->is_signed = r == 0;
	if (r == 0)
		return true;
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.3.0",
	    "the message could not be read, or signed: %s", strerror(-r));
	trial_set_open(trial, &verdict);
	trial->is_over = true;
	return false;
}

void
trial_log_missed(const struct trial *trial, const char *policy,
    const struct verdict *verdict)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_POLICY_MISSED,
	    .message = message_id(trial),
	    .host = verdict->host,
	    .policy = policy,
	    .reason = verdict->reason,
	});
}

void
trial_pass_over(struct trial *trial, const struct verdict *verdict)
{
	trial_log_passed_over(trial, verdict);
	trial_set_open(trial, verdict);
}

void
trial_pass_over_lacking(struct trial *trial, const struct verdict *verdict)
{
	trial_log_passed_over(trial, verdict);
	trial->lack = *verdict;
	trial->lack_count++;
}

void
trial_note_missed(struct trial *trial, const struct trust *trust,
    const struct verdict *verdict)
{
	if (!trust->is_tls_required || *verdict->reply != '\0' ||
	    strncmp(verdict->status, "4.7.", 4) != 0)
		return;
	trial->missed = *verdict;
	trial->was_missed = true;
}

void
trial_set_unreachable(struct trial *trial, const struct route *route)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	if (trial->was_other_family)
		verdict_set(&verdict, OUTCOME_DEFERRED, "4.4.4",
		    "no host for the domain has an address that "
		    "SMTP_IP_FAMILY allows");
	else if (trial->was_dns_trouble)
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
	trial_set_open(trial, &verdict);
}

enum reach
trial_reach(const struct trial *trial)
{
	if (trial->was_connected ||
	    (trial->was_reached && trial->lack_count > 0))
		return REACH_HOST;
	if (!trial->was_any_address && trial->was_dns_trouble)
		return network_has_resolver() ? REACH_NOWHERE
					      : REACH_NO_RESOLVER;
	if (!trial->was_any_address || trial->lack_count > 0)
		return REACH_NOWHERE;
	if (trial->was_reached || trial->was_withheld ||
	    (trial->failures & CONNECT_FAILED_HERE) != 0)
		return REACH_UNUSABLE;
	/* A host that has IPv6 only is not there for who has IPv4 only. */
	if (trial->failures == CONNECT_FAILED_ROUTE && !network_has_any_route())
		return REACH_NO_ROUTE;
	return REACH_NO_HOST;
}
