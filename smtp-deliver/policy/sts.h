/* SPDX-License-Identifier: ISC */

#ifndef STS_H
#define STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp-deliver/net/dns.h"

#define STS_ID_SIZE 33
#define STS_MX_MAX 128
#define STS_TEXT_MAX 65536 /* octets of a policy: RFC 8461 section 3.3 */
#define STS_AGE_MAX_SEC 31557600

enum sts_mode {
	STS_NONE, /* no policy, or one of that mode */
	STS_TESTING, /* deliver, and log what the policy would forbid */
	STS_ENFORCE,
};

/* The MTA-STS policy of a domain (RFC 8461 section 3.2). */
struct sts_policy {
	enum sts_mode mode;
	unsigned char
	    is_unknown; /* STS_NONE for now: there may be a policy that
				   * is unavailable. No bool: another process
				   * sends it. */
	int64_t max_age_sec;
	size_t mx_count;
	char mx[STS_MX_MAX][DNS_NAME_SIZE]; /* hosts; "*." is any one label */
};

/* Parse a TXT record at _mta-sts (RFC 8461 section 3.1). Returns 0, or -EBADMSG
 * if it is no such record. */
int sts_parse_record(const char *text, char ret_id[STS_ID_SIZE]);

/*
 * Parse a policy as the domain's host serves it.
 *
 * Returns 0, or -EBADMSG for a line that is no field, a missing field, or an
 * invalid version, mode or age. Invalid hosts are ignored, and so are those
 * after the first STS_MX_MAX; but one that is valid is needed.
 */
int sts_parse_policy(const char *text, size_t length,
    struct sts_policy *ret_policy);

/* Whether the policy names a host (RFC 8461 section 4.1). */
bool sts_has_host(const struct sts_policy *policy, const char *host);

#endif
