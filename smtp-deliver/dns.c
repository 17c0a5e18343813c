/* SPDX-License-Identifier: ISC */

/*
 * dns.c - questions to the resolver: glibc's, as resolv.conf(5) sets it up.
 */

#include "config.h"

#include <sys/socket.h>

#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "smtp-deliver/dns.h"

#define PORT_SIZE 8

void
dns_start(void)
{
	if (res_init() == 0)
		_res.options &= ~(unsigned long)(RES_DNSRCH | RES_DEFNAMES);
}

static enum dns_answer
no_answer(int resolver_error)
{
	switch (resolver_error) {
	case HOST_NOT_FOUND:
		return DNS_NO_DOMAIN;
	case NO_DATA:
		return DNS_NO_DATA;
	default:
		return DNS_TROUBLE;
	}
}

/* An MX record's data: preference, then the host's name (RFC 1035 3.3.9). */
static bool
parse_mx(ns_msg *message, const ns_rr *record, struct dns_mx *ret_mx)
{
	const unsigned char *data = ns_rr_rdata(*record);

	if (ns_rr_type(*record) != ns_t_mx || ns_rr_rdlen(*record) < 3)
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

static enum dns_answer
parse_answer(const unsigned char *answer, int length,
    struct dns_mx ret_records[DNS_MX_MAX], size_t *ret_count)
{
	ns_msg message;
	ns_rr rr;
	struct dns_mx record;
	size_t count = 0;

	if (ns_initparse(answer, length, &message) == -1)
		return DNS_TROUBLE;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &rr) == -1)
			return DNS_TROUBLE;
		if (parse_mx(&message, &rr, &record))
			keep_record(&record, ret_records, &count);
	}
	*ret_count = count;
	return count > 0 ? DNS_FOUND : DNS_NO_DATA;
}

enum dns_answer
dns_find_mx(const char *domain, struct dns_mx ret_records[DNS_MX_MAX],
    size_t *ret_count)
{
	struct __res_state state = { .options = 0 };
	unsigned char *answer;
	enum dns_answer result;
	int length;

	if ((answer = malloc(NS_MAXMSG)) == NULL || res_ninit(&state) == -1) {
		free(answer);
		return DNS_TROUBLE;
	}
	length =
	    res_nquery(&state, domain, ns_c_in, ns_t_mx, answer, NS_MAXMSG);
	result = length == -1
	    ? no_answer(state.res_h_errno)
	    : parse_answer(answer, length, ret_records, ret_count);
	res_nclose(&state);
	free(answer);
	return result;
}

enum dns_answer
dns_find_addresses(const char *host, int port, struct addrinfo **ret_addresses)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	char service[PORT_SIZE];

	(void)snprintf(service, sizeof(service), "%d", port);
	switch (getaddrinfo(host, service, &hints, ret_addresses)) {
	case 0:
		return DNS_FOUND;
	case EAI_NONAME:
	case EAI_NODATA:
		return DNS_NO_DATA;
	default:
		return DNS_TROUBLE;
	}
}

int
dns_to_ascii(const char *domain, char ret_domain[DNS_NAME_SIZE])
{
	char *ascii = NULL;
	int r;

	r = idn2_to_ascii_8z(domain, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r != IDN2_OK)
		return -EBADMSG;
	r = strlcpy(ret_domain, ascii, DNS_NAME_SIZE) < DNS_NAME_SIZE
	    ? 0
	    : -EBADMSG;
	idn2_free(ascii);
	return r;
}
