/* SPDX-License-Identifier: ISC */

/*
 * requirement.c - what is required of a host before it gets a message, and why.
 *
 * The order in which sources count:
 *
 *	credential	a relay that rejected it lately is not asked again
 *	REQUIRETLS	DNSSEC or the domain's MTA-STS policy must vouch for the
 *			host's name (RFC 8689 section 4.2.1)
 *	route		"tls none" and "tls fingerprint" end it here
 *	published	TLSA records, else the domain's MTA-STS policy (trust.c)
 *	route		its level, if that is higher; without a check of the
 *			certificate where nothing is published, if it says so
 *	REQUIRETLS	the certificate is checked nevertheless
 *
 * Connects to no host, logs and prints nothing: delivery and --explain do, and
 * decide alike because both ask here.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "smtp-deliver/worker/requirement.h"

const struct credential *
requirements_find_credential(const struct requirements *requirements,
    const struct route_host *host)
{
	return requirements->route->is_relayed &&
		requirements->credentials != NULL
	    ? credentials_find(requirements->credentials, host->name,
		  host->port)
	    : NULL;
}

const struct stsfetch *
requirements_take_policy(struct requirements *requirements)
{
	if (!requirements->stsfetch->is_asked || requirements->is_policy_taken)
		return NULL;
	requirements->is_policy_taken = true;
	return requirements->stsfetch;
}

/* Get the MTA-STS policy of the destination. Returns NULL with ret_verdict if
 * something on this host is in the way. */
static const struct sts_policy *
get_policy(const struct requirements *requirements, struct verdict *ret_verdict)
{
	int r = stsfetch_ask(requirements->stsfetch);

	if (r == 0)
		return &requirements->stsfetch->answer.policy;
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.3.5",
	    "cannot determine whether the domain has an MTA-STS policy: %s",
	    strerror(-r));
	return NULL;
}

enum requiretls
requirements_check_name(struct requirements *requirements,
    const struct route_host *host, struct verdict *ret_verdict)
{
	const struct sts_policy *policy = NULL;

	if (route_has_policy(requirements->route) && !host->is_name_secure &&
	    (policy = get_policy(requirements, ret_verdict)) == NULL)
		return REQUIRETLS_UNKNOWN;
	return requiretls_check_name(host->name, host->is_name_secure, policy,
	    ret_verdict);
}

enum requiretls
requirements_check_client(const struct client *client,
    struct verdict *ret_verdict)
{
	dialogue_begin_verdict(&client->dialogue, ret_verdict);
	return requiretls_check_connection(client_is_verified(client),
	    client->offers.has_requiretls, ret_verdict);
}

/* Not each message, and not each worker, asks a relay again that has rejected
 * our credential. */
static bool
is_refused(const struct requirements *requirements,
    const struct route_host *host, struct requirement *requirement)
{
	const struct credential *credential = requirement->credential;
	struct verdict *verdict = &requirement->verdict;

	if (credential == NULL ||
	    !credentials_are_refused(requirements->credentials, credential))
		return false;
	verdict_set(verdict, OUTCOME_DEFERRED, "4.7.8",
	    "the relay rejected line %u of SMTP_AUTH_FILE a moment ago",
	    credential->line);
	(void)strlcpy(verdict->host, host->name, sizeof(verdict->host));
	return true;
}

/* Apply the policy of the domain, where no TLSA records hold (RFC 8461 section
 * 2). Returns whether the host may be used. */
static bool
apply_policy(const struct requirements *requirements,
    struct requirement *requirement)
{
	struct trust *trust = &requirement->trust;
	const struct sts_policy *policy;

	if (!route_has_policy(requirements->route) ||
	    requirements_are_optional(requirements) || trust->level > LEVEL_STS)
		return true;
	policy = get_policy(requirements, &requirement->verdict);
	if (policy == NULL)
		return false;
	if (trust_apply_sts(trust, policy, &requirement->verdict)) {
		requirement->is_named = policy->mode != STS_NONE;
		return true;
	}
	if (!trust->is_tested)
		return false;
	requirement->is_test_failed = true;
	requirement->tested = requirement->verdict;
	requirement->verdict = (struct verdict){ .outcome = OUTCOME_NONE };
	return true;
}

/* Find the TLS policy: what is published, or more, or nothing, as the route
 * says. Returns whether the host may be used. */
static bool
find_trust(const struct requirements *requirements,
    const struct route_host *host, struct requirement *requirement)
{
	const struct route *route = requirements->route;
	struct trust *trust = &requirement->trust;
	struct verdict *verdict = &requirement->verdict;

	if (route->has_level &&
	    (route->level == LEVEL_NONE || route->level == LEVEL_FINGERPRINT)) {
		trust_set_default(host->name, trust);
		trust->is_tls_first = host->is_tls_first;
		trust->pins = route->pins;
		return trust_require(trust, route->level, verdict);
	}
	if (!trust_find(host->domain, host->name, host->port, trust, verdict))
		return false;
	trust->is_tls_first = host->is_tls_first;
	return apply_policy(requirements, requirement) &&
	    (!route->has_level || trust_require(trust, route->level, verdict));
}

void
requirements_find(struct requirements *requirements,
    const struct route_host *host, bool is_requiretls,
    struct requirement *ret_requirement)
{
	enum requiretls name = REQUIRETLS_MET;

	*ret_requirement = (struct requirement){
		.verdict = { .outcome = OUTCOME_NONE },
		.credential = requirements_find_credential(requirements, host),
	};
	if (is_refused(requirements, host, ret_requirement)) {
		ret_requirement->result = REQUIREMENT_REFUSED;
		return;
	}
	if (is_requiretls)
		name = requirements_check_name(requirements, host,
		    &ret_requirement->verdict);
	if (name != REQUIRETLS_MET)
		ret_requirement->result = name == REQUIRETLS_UNMET
		    ? REQUIREMENT_UNVOUCHED
		    : REQUIREMENT_UNKNOWN;
	else if (!find_trust(requirements, host, ret_requirement))
		ret_requirement->result = REQUIREMENT_UNMET;
	else if (is_requiretls)
		trust_require_verified(&ret_requirement->trust);
}

void
requirements_find_weaker(const struct requirements *requirements,
    const struct route_host *host, enum level level,
    struct requirement *ret_requirement)
{
	*ret_requirement = (struct requirement){
		.result = REQUIREMENT_USABLE,
		.credential = requirements_find_credential(requirements, host),
	};
	trust_set_default(host->name, &ret_requirement->trust);
	ret_requirement->trust.level = level;
	ret_requirement->trust.is_tls_first = host->is_tls_first;
}
