/* SPDX-License-Identifier: ISC */

/*
 * requiretls.c - which hosts may get a message that asks for TLS on every hop
 * (RFC 8689 section 4.2.1).
 *
 * Pure: knows neither routes nor connections.
 */

#include "config.h"

#include <string.h>

#include "smtp-deliver/policy/requiretls.h"

enum requiretls
requiretls_check_name(const char *host, bool is_secure,
    const struct sts_policy *policy, struct verdict *ret_verdict)
{
	if (is_secure ||
	    (policy != NULL && policy->mode == STS_ENFORCE &&
		sts_has_host(policy, host)))
		return REQUIRETLS_MET;
	*ret_verdict = (struct verdict){ .outcome = OUTCOME_NONE };
	(void)strlcpy(ret_verdict->host, host, sizeof(ret_verdict->host));
	if (policy != NULL && policy->is_unknown) {
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.0",
		    "REQUIRETLS: the MTA-STS policy of the domain, which may "
		    "vouch for the host, is unavailable");
		return REQUIRETLS_UNKNOWN;
	}
	verdict_set(ret_verdict, OUTCOME_FAILED, "5.7.30",
	    "REQUIRETLS: neither DNSSEC nor an MTA-STS policy vouches for the "
	    "host");
	return REQUIRETLS_UNMET;
}

enum requiretls
requiretls_check_connection(bool has_verified_tls, bool is_requiretls_offered,
    struct verdict *verdict)
{
	if (has_verified_tls && is_requiretls_offered)
		return REQUIRETLS_MET;
	if (has_verified_tls)
		verdict_set(verdict, OUTCOME_FAILED, "5.7.30",
		    "the host does not offer REQUIRETLS");
	else
		verdict_set(verdict, OUTCOME_FAILED, "5.7.10",
		    "REQUIRETLS: the connection has no TLS with a verified "
		    "certificate");
	return REQUIRETLS_UNMET;
}
