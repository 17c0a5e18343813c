/* SPDX-License-Identifier: ISC */

#ifndef REQUIRETLS_H
#define REQUIRETLS_H

#include <stdbool.h>

#include "smtp-deliver/policy/sts.h"
#include "smtp-deliver/verdict.h"

/* Whether a host meets what REQUIRETLS asks for. */
enum requiretls {
	REQUIRETLS_MET,
	REQUIRETLS_UNMET, /* final if no host of the route meets it */
	REQUIRETLS_UNKNOWN, /* for now */
};

/*
 * Check whether a message with REQUIRETLS may go to a host (RFC 8689 section
 * 4.2.1). First the host's name: nobody may have forged it.
 *
 * is_secure	DNSSEC vouches for the MX record, or there is none.
 * policy	the MTA-STS policy of the domain; NULL: it can have none.
 * ret_verdict	unless the result is REQUIRETLS_MET: why not.
 */
enum requiretls requiretls_check_name(const char *host, bool is_secure,
    const struct sts_policy *policy, struct verdict *ret_verdict);

/*
 * Then, once connected, the connection. Certificates have been verified by
 * then.
 *
 * verdict	names the host; gets the reason unless the result is
 *		REQUIRETLS_MET.
 */
enum requiretls requiretls_check_connection(bool has_verified_tls,
    bool is_requiretls_offered, struct verdict *verdict);

#endif
