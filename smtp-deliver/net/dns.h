/* SPDX-License-Identifier: ISC */

#ifndef DNS_H
#define DNS_H

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/tls.h"
#include "smtp-deliver/net/idna.h"

#define DNS_MX_MAX 32
#define DNS_TLSA_MAX 16
#define DNS_TYPE_TLSA 52
#define DNS_TEXT_SIZE 512
#define DNS_REFUSED_SIZE 96

enum dns_answer {
	DNS_FOUND,
	DNS_NO_DATA, /* the domain exists and has no such record */
	DNS_NO_DOMAIN, /* it does not exist */
	DNS_TROUBLE, /* no answer, or an untrustworthy one: ask later */
};

struct dns_mx {
	unsigned preference;
	char host[DNS_NAME_SIZE]; /* "" is the root, as in a null MX */
};

/* Initialize the resolver: names are looked up as they are, without the search
 * list of resolv.conf(5). */
void dns_start(void);

/* Whether resolv.conf(5) says that the resolver's claims of authentic answers
 * can be trusted (trust-ad). Without that no answer is secure. */
bool dns_has_trust(void);

/*
 * Ask for the MX records of a domain (RFC 5321 section 5.1), at most
 * DNS_MX_MAX of them.
 *
 * ret_is_secure	set with DNS_FOUND: whether DNSSEC vouches for them.
 */
enum dns_answer dns_find_mx(const char *domain,
    struct dns_mx ret_records[DNS_MX_MAX], size_t *ret_count,
    bool *ret_is_secure);

/*
 * Ask for the TLSA records at a name (RFC 6698).
 *
 * ret_is_secure	set with DNS_FOUND: whether DNSSEC vouches for them.
 */
enum dns_answer dns_find_tlsa(const char *name,
    struct tls_tlsa ret_records[DNS_TLSA_MAX], size_t *ret_count,
    bool *ret_is_secure);

/* Ask for the one TXT record of a name that begins with a prefix. Several such
 * records count as no record. */
enum dns_answer dns_find_text(const char *name, const char *prefix,
    char ret_text[DNS_TEXT_SIZE]);

/*
 * Ask what a host's name leads to: itself, or what it is an alias of (RFC 7672
 * section 2.2.2).
 *
 * ret_owner		with DNS_FOUND: the name that has the addresses.
 * ret_is_secure	with DNS_FOUND: whether DNSSEC vouches for all the way.
 */
enum dns_answer dns_find_owner(const char *host, char ret_owner[DNS_NAME_SIZE],
    bool *ret_is_secure);

/* Whether DNSSEC vouches that a name is an alias, wherever that leads. */
enum dns_answer dns_find_alias(const char *name, bool *ret_is_secure);

/* Who says which addresses a host has. */
enum dns_source {
	DNS_SYSTEM, /* nsswitch.conf(5): /etc/hosts, too */
	DNS_ALONE, /* the DNS: for names that others have published */
};

/*
 * Find the addresses of a host, for a stream socket to a port. The caller frees
 * them with freeaddrinfo(3).
 *
 * source	after DNS_ALONE was used, DNS_SYSTEM is /etc/hosts and the DNS
 *		for the rest of the process.
 */
enum dns_answer dns_find_addresses(const char *host, int port,
    enum dns_source source, struct addrinfo **ret_addresses);

/*
 * Remove addresses that nobody may name from a list: loopback, link-local,
 * multicast and the like; private ones unless they are allowed. The list is
 * NULL if none is left.
 *
 * ret_refused	one of those and what it is; unchanged if there are none.
 */
void dns_refuse_addresses(struct addrinfo **addresses, bool is_private_allowed,
    char ret_refused[DNS_REFUSED_SIZE]);

#endif
