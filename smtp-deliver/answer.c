/* SPDX-License-Identifier: ISC */

/*
 * answer.c - answers of the resolver (RFC 1035 sections 3.3.9 and 4.1).
 *
 * Pure: octets in, records out.
 */

#include "config.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <stdbool.h>
#include <string.h>

#include "smtp-deliver/answer.h"

/* An MX record's data: preference, then the host's name (RFC 1035 section
 * 3.3.9). Returns whether it is no damaged one. */
static bool
parse_mx(ns_msg *message, const ns_rr *record, struct dns_mx *ret_mx)
{
	const unsigned char *data = ns_rr_rdata(*record);

	if (ns_rr_rdlen(*record) < 3)
		return false;
	ret_mx->preference = ns_get16(data);
	if (dn_expand(ns_msg_base(*message), ns_msg_end(*message),
		data + NS_INT16SZ, ret_mx->host, sizeof(ret_mx->host)) == -1)
		return false;
	if (strcmp(ret_mx->host, ".") == 0)
		ret_mx->host[0] = '\0';
	return true;
}

/* Keep a record. When there is no room it takes the place of the one that would
 * be tried last, if it is better. */
static void
keep_record(const struct dns_mx *record, struct dns_mx records[DNS_MX_MAX],
    size_t *count)
{
	size_t place = 0;

	if (*count < DNS_MX_MAX) {
		records[(*count)++] = *record;
		return;
	}
	for (size_t i = 1; i < DNS_MX_MAX; i++)
		if (records[i].preference > records[place].preference)
			place = i;
	if (record->preference < records[place].preference)
		records[place] = *record;
}

enum dns_answer
answer_parse_mx(const unsigned char *answer, size_t length,
    struct dns_mx ret_records[DNS_MX_MAX], size_t *ret_count)
{
	ns_msg message;
	ns_rr rr;
	struct dns_mx record;
	size_t count = 0;

	if (length > NS_MAXMSG ||
	    ns_initparse(answer, (int)length, &message) == -1)
		return DNS_TROUBLE;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &rr) == -1)
			return DNS_TROUBLE;
		if (ns_rr_type(rr) != ns_t_mx)
			continue;
		if (!parse_mx(&message, &rr, &record))
			return DNS_TROUBLE;
		keep_record(&record, ret_records, &count);
	}
	*ret_count = count;
	return count > 0 ? DNS_FOUND : DNS_NO_DATA;
}
