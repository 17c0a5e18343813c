/* SPDX-License-Identifier: ISC */

#ifndef HOSTLOG_H
#define HOSTLOG_H

#include "smtp-deliver/client/client.h"
#include "smtp-deliver/policy/stsfetch.h"
#include "smtp-deliver/verdict.h"
#include "smtp-deliver/worker/job.h"

/* What a worker logs about hosts. The run logs what becomes of recipients. */

/* A host, or an address of one, is not used for a job's message. */
void hostlog_passed_over(const struct job *job, const struct verdict *verdict);

/* A host that is used nevertheless does not meet a TLS policy, which is in
 * testing mode or put aside.
 *
 * policy	its level, or NULL. */
void hostlog_policy_missed(const struct job *job, const char *policy,
    const struct verdict *verdict);

/* A host without TLS is used, which the domain's policy would forbid if it were
 * not in testing mode; if that is so. */
void hostlog_tested(const struct job *job, const struct client *client);

/* The current MTA-STS policy of a domain could not be fetched, if that is so.
 *
 * policy	what was found out, or NULL.
 */
void hostlog_policy(const struct stsfetch *policy);

/* A relay rejected our credentials, or asks for some. */
void hostlog_auth_failed(const struct verdict *verdict);

#endif
