/* SPDX-License-Identifier: ISC */

/*
 * requiretls.c - who may have a message that asks for TLS on all of its way
 * (RFC 8689 section 4.2.1).
 *
 * Knows nothing of how hosts are found, and asks nobody anything.
 */

#include "config.h"

#include <errno.h>
#include <string.h>

#include "smtp-deliver/policy/requiretls.h"

int
requiretls_check_name(const struct route_host *host,
    const struct sts_policy *policy, struct verdict *ret_verdict)
{
	if (host->is_name_secure ||
	    (policy != NULL && policy->mode == STS_ENFORCE &&
		sts_has_host(policy, host->name)))
		return 0;
	*ret_verdict = (struct verdict){ .outcome = OUTCOME_NONE };
	(void)strlcpy(ret_verdict->host, host->name, sizeof(ret_verdict->host));
	if (policy != NULL && policy->is_unknown) {
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.0",
		    "REQUIRETLS: the MTA-STS policy of the domain, which is to "
		    "vouch for the host, cannot be had now");
		return -EAGAIN;
	}
	verdict_set(ret_verdict, OUTCOME_FAILED, "5.7.30",
	    "REQUIRETLS: neither DNSSEC nor an MTA-STS policy vouches that the "
	    "host is the domain's");
	return -EPROTONOSUPPORT;
}

int
requiretls_check_client(const struct client *client,
    struct verdict *ret_verdict)
{
	bool is_secure = client_is_secure(client);

	if (is_secure && client->offers.has_requiretls)
		return 0;
	dialogue_begin_verdict(&client->dialogue, ret_verdict);
	if (is_secure)
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.7.30",
		    "the host does not offer REQUIRETLS");
	else
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.7.10",
		    "REQUIRETLS: there is no TLS with the host");
	return -EPROTONOSUPPORT;
}
