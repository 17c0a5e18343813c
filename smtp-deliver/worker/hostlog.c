/* SPDX-License-Identifier: ISC */

/*
 * hostlog.c - what a worker has the audit trail say about hosts.
 */

#include "config.h"

#include <stdio.h>

#include "lib/audit.h"
#include "smtp-deliver/policy/level.h"
#include "smtp-deliver/worker/hostlog.h"

/* An empty field is left out of a record. */
static const char *
text_of(const char *field)
{
	return *field != '\0' ? field : NULL;
}

void
hostlog_passed_over(const char *message_id, const struct verdict *verdict)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_HOST_PASSED_OVER,
	    .message = message_id,
	    .host = verdict->host,
	    .policy = text_of(verdict->policy),
	    .fingerprint = text_of(verdict->fingerprint),
	    .status = verdict->status,
	    .reply = text_of(verdict->reply),
	    .reason = text_of(verdict->reason),
	});
}

void
hostlog_policy_missed(const char *message_id, const char *policy,
    const struct verdict *verdict)
{
	audit_write(&(struct audit_record){
	    .event = AUDIT_POLICY_MISSED,
	    .message = message_id,
	    .host = verdict->host,
	    .policy = policy,
	    .reason = verdict->reason,
	});
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
	audit_write(&(struct audit_record){
	    .event = AUDIT_AUTH_FAILED,
	    .host = verdict->host,
	    .tls = text_of(verdict->tls),
	    .status = verdict->status,
	    .reply = text_of(verdict->reply),
	    .reason = verdict->reason,
	});
}
