/* SPDX-License-Identifier: ISC */

/*
 * dns.c - queries to the resolver: glibc's, as resolv.conf(5) configures it.
 */

#include "config.h"

#include <sys/socket.h>

#include <arpa/nameser.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <nss.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ip.h"
#include "smtp-deliver/net/dnsmessage.h"
#include "smtp-deliver/net/dns.h"

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

bool
dns_has_trust(void)
{
	return (_res.options & RES_TRUSTAD) != 0;
}

/* A whole answer of the DNS. */
struct response {
	unsigned char *octets;
	size_t length;
	bool is_secure;
};

static void
free_response(struct response *message)
{
	free(message->octets);
	message->octets = NULL;
}

/* Send a query. The caller frees the message after DNS_FOUND. */
static enum dns_answer
ask(const char *name, int type, struct response *ret_message)
{
	struct __res_state state = { .options = 0 };
	struct response message = { .octets = malloc(NS_MAXMSG) };
	int length;

	if (message.octets == NULL || res_ninit(&state) == -1) {
		free_response(&message);
		return DNS_TROUBLE;
	}
	length =
	    res_nquery(&state, name, ns_c_in, type, message.octets, NS_MAXMSG);
	/* res_nquery() clears the bit where the resolver is not trusted. */
	message.is_secure = length != -1 &&
	    (state.options & RES_TRUSTAD) != 0 &&
	    dnsmessage_is_authentic(message.octets, (size_t)length);
	res_nclose(&state);
	if (length == -1) {
		free_response(&message);
		return no_answer(state.res_h_errno);
	}
	message.length = (size_t)length;
	*ret_message = message;
	return DNS_FOUND;
}

enum dns_answer
dns_find_mx(const char *domain, struct dns_mx ret_records[DNS_MX_MAX],
    size_t *ret_count, bool *ret_is_secure)
{
	struct response message;
	enum dns_answer result = ask(domain, ns_t_mx, &message);

	if (result != DNS_FOUND)
		return result;
	result = dnsmessage_parse_mx(message.octets, message.length,
	    ret_records, ret_count);
	*ret_is_secure = message.is_secure;
	free_response(&message);
	return result;
}

enum dns_answer
dns_find_tlsa(const char *name, struct tls_tlsa ret_records[DNS_TLSA_MAX],
    size_t *ret_count, bool *ret_is_secure)
{
	struct response message;
	enum dns_answer result = ask(name, DNS_TYPE_TLSA, &message);

	if (result != DNS_FOUND)
		return result;
	result = dnsmessage_parse_tlsa(message.octets, message.length,
	    ret_records, ret_count);
	*ret_is_secure = message.is_secure;
	free_response(&message);
	return result;
}

enum dns_answer
dns_find_text(const char *name, const char *prefix,
    char ret_text[DNS_TEXT_SIZE])
{
	struct response message;
	enum dns_answer result = ask(name, ns_t_txt, &message);

	if (result != DNS_FOUND)
		return result;
	result = dnsmessage_find_text(message.octets, message.length, prefix,
	    ret_text);
	free_response(&message);
	return result;
}

static enum dns_answer
find_owner(const char *host, int type, char ret_owner[DNS_NAME_SIZE],
    bool *ret_is_secure)
{
	struct response message;
	enum dns_answer result = ask(host, type, &message);

	if (result != DNS_FOUND)
		return result;
	result = dnsmessage_find_owner(message.octets, message.length, type,
	    ret_owner);
	*ret_is_secure = message.is_secure;
	free_response(&message);
	return result;
}

enum dns_answer
dns_find_owner(const char *host, char ret_owner[DNS_NAME_SIZE],
    bool *ret_is_secure)
{
	enum dns_answer result =
	    find_owner(host, ns_t_a, ret_owner, ret_is_secure);

	return result == DNS_NO_DATA
	    ? find_owner(host, ns_t_aaaa, ret_owner, ret_is_secure)
	    : result;
}

enum dns_answer
dns_find_alias(const char *name, bool *ret_is_secure)
{
	char ignored[DNS_NAME_SIZE];

	return find_owner(name, ns_t_cname, ignored, ret_is_secure);
}

/* getaddrinfo(3) reports that there is no address if one family has none and
 * the query for the other got no answer. Ask again: returns whether a query
 * gets no answer, or finds an address after all, so the trouble was short. */
static bool
is_in_doubt(const char *host)
{
	static const int types[] = { ns_t_a, ns_t_aaaa };
	char ignored[DNS_NAME_SIZE];
	bool is_secure;

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		enum dns_answer answer =
		    find_owner(host, types[i], ignored, &is_secure);

		if (answer == DNS_TROUBLE || answer == DNS_FOUND)
			return true;
	}
	return false;
}

/* Have getaddrinfo(3) ask that source; nscd(8), which reads files, is not asked
 * then. glibc keeps no way back to nsswitch.conf(5). */
static int
choose_source(enum dns_source source)
{
	static bool was_chosen;

	if (source == DNS_SYSTEM && !was_chosen)
		return 0;
	was_chosen = true;
	return __nss_configure_lookup("hosts",
	    source == DNS_ALONE ? "dns" : "files dns");
}

enum dns_answer
dns_find_addresses(const char *host, int port, enum dns_source source,
    struct addrinfo **ret_addresses)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	char service[PORT_SIZE];

	if (choose_source(source) == -1)
		return DNS_TROUBLE;
	(void)snprintf(service, sizeof(service), "%d", port);
	switch (getaddrinfo(host, service, &hints, ret_addresses)) {
	case 0:
		return DNS_FOUND;
	case EAI_NONAME:
	case EAI_NODATA:
		return is_in_doubt(host) ? DNS_TROUBLE : DNS_NO_DATA;
	default:
		return DNS_TROUBLE;
	}
}

static bool
may_be_named(const struct addrinfo *address, bool is_private_allowed)
{
	enum ip_scope scope = ip_find_scope(address->ai_addr);

	return scope == IP_SCOPE_PUBLIC ||
	    (scope == IP_SCOPE_PRIVATE && is_private_allowed);
}

static void
note_refused(const struct addrinfo *address, char ret_refused[DNS_REFUSED_SIZE])
{
	char ip[INET6_ADDRSTRLEN + IF_NAMESIZE] = "?";

	(void)getnameinfo(address->ai_addr, address->ai_addrlen, ip, sizeof(ip),
	    NULL, 0, NI_NUMERICHOST);
	(void)snprintf(ret_refused, DNS_REFUSED_SIZE, "%s is %s", ip,
	    ip_scope_name(ip_find_scope(address->ai_addr)));
}

void
dns_refuse_addresses(struct addrinfo **addresses, bool is_private_allowed,
    char ret_refused[DNS_REFUSED_SIZE])
{
	while (*addresses != NULL) {
		struct addrinfo *address = *addresses;

		if (may_be_named(address, is_private_allowed)) {
			addresses = &address->ai_next;
			continue;
		}
		note_refused(address, ret_refused);
		*addresses = address->ai_next;
		address->ai_next = NULL;
		freeaddrinfo(address);
	}
}
