/* SPDX-License-Identifier: ISC */

#ifndef DNSMESSAGE_H
#define DNSMESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp-deliver/net/dns.h"

/*
 * Take the MX records from an answer, which is a whole message of the DNS. Of
 * more than DNS_MX_MAX those of the lowest preference values are kept; other
 * records are ignored.
 *
 * ret_count	how many there are; set with DNS_FOUND and DNS_NO_DATA.
 *
 * Returns DNS_FOUND, DNS_NO_DATA, or DNS_TROUBLE for a damaged message or
 * record.
 */
enum dns_answer dnsmessage_parse_mx(const unsigned char *answer, size_t length,
    struct dns_mx ret_records[DNS_MX_MAX], size_t *ret_count);

/* Take the TLSA records out of an answer, at most DNS_TLSA_MAX of them (RFC
 * 6698 section 2.1). Returns as dnsmessage_parse_mx() does. */
enum dns_answer dnsmessage_parse_tlsa(const unsigned char *answer,
    size_t length, struct tls_tlsa ret_records[DNS_TLSA_MAX],
    size_t *ret_count);

/* Find the one TXT record that begins with a prefix. Returns as
 * dnsmessage_parse_mx() does; several such records count as no record. */
enum dns_answer dnsmessage_find_text(const unsigned char *answer, size_t length,
    const char *prefix, char ret_text[DNS_TEXT_SIZE]);

/* Find the owner of an answer's records of a type: the name that was asked for,
 * or the name that it is an alias of. Returns as dnsmessage_parse_mx() does. */
enum dns_answer dnsmessage_find_owner(const unsigned char *answer,
    size_t length, int type, char ret_owner[DNS_NAME_SIZE]);

/* Whether the resolver says that DNSSEC vouches for the answer (RFC 4035
 * section 3.2.3). Whether the resolver can be trusted is another question. */
bool dnsmessage_is_authentic(const unsigned char *answer, size_t length);

#endif
