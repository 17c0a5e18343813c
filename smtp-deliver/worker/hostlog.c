/* SPDX-License-Identifier: ISC */

/*
 * hostlog.c - what a worker has the audit trail say about hosts.
 */

#include "config.h"

#include <stdio.h>

#include "lib/audit.h"
#include "lib/text.h"
#include "smtp-deliver/policy/level.h"
#include "smtp-deliver/redact.h"
#include "smtp-deliver/worker/hostlog.h"

/* A worker does not have the key for tokens. */
static void
write_verdict(struct audit_record *record, const struct verdict *verdict,
    const struct redact *redact)
{
	char reply[REDACT_SIZE], reason[REDACT_SIZE];

	verdict_fill_record(verdict, record);
	record->reply = redact_text(redact, record->reply, reply);
	record->reason = redact_text(redact, record->reason, reason);
	audit_write(record);
}

void
hostlog_passed_over(const struct job *job, const struct verdict *verdict)
{
	const struct envelope *envelope = &job->message->envelope;
	struct audit_record record = {
		.event = AUDIT_HOST_PASSED_OVER,
		.message = envelope->id,
		.submitter = &envelope->submitter,
	};

	write_verdict(&record, verdict,
	    &(struct redact){
		.sender = envelope->sender,
		.recipient = envelope->recipients[job->recipients[0]],
	    });
}

void
hostlog_policy_missed(const struct job *job, const char *policy,
    const struct verdict *verdict)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_POLICY_MISSED,
	    .message = job->message->envelope.id,
	    .submitter = &job->message->envelope.submitter,
	    .host = verdict->host,
	    .policy = policy,
	    .reason = verdict->reason,
	});
}

void
hostlog_tested(const struct job *job, const struct client *client)
{
	struct verdict verdict;

	if (client_is_secure(client))
		return;
	dialogue_begin_verdict(&client->dialogue, &verdict);
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.7.10",
	    "the host does not offer STARTTLS, which the MTA-STS policy of the "
	    "domain requires");
	hostlog_policy_missed(job, level_name(LEVEL_STS), &verdict);
}

void
hostlog_policy(const struct stsfetch *policy)
{
	char reason[VERDICT_TEXT_SIZE];

	if (policy == NULL || *policy->answer.failure == '\0')
		return;
	(void)snprintf(reason, sizeof(reason),
	    "the MTA-STS policy cannot be fetched: %s", policy->answer.failure);
	audit_write(&(struct audit_record){
	    .event = AUDIT_POLICY_MISSED,
	    .host = policy->domain,
	    .policy = level_name(LEVEL_STS),
	    .reason = reason,
	});
}

void
hostlog_auth_failed(const struct verdict *verdict)
{
	struct audit_record record = {
		.event = AUDIT_AUTH_FAILED,
		.tls = text_or_null(verdict->tls),
	};

	write_verdict(&record, verdict,
	    &(struct redact){ .sender = "", .recipient = "" });
}
