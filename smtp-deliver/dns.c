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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "smtp-deliver/answer.h"
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
	    : answer_parse_mx(answer, (size_t)length, ret_records, ret_count);
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
