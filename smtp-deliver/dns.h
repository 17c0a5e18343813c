/* SPDX-License-Identifier: ISC */

#ifndef DNS_H
#define DNS_H

#include <netdb.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_NAME_SIZE 256
#define DNS_MX_MAX 32

enum dns_answer {
	DNS_FOUND,
	DNS_NO_DATA, /* the domain exists and has no such record */
	DNS_NO_DOMAIN, /* it does not exist */
	DNS_TROUBLE, /* no answer, or none that can be trusted: ask later */
};

struct dns_mx {
	unsigned preference;
	char host[DNS_NAME_SIZE]; /* "" is the root, as in a null MX */
};

/* Get ready: names are looked up as they are, whatever resolv.conf(5) would
 * have searched or added. */
void dns_start(void);

/* Ask for the MX records of a domain (RFC 5321 section 5.1), at most
 * DNS_MX_MAX of them. */
enum dns_answer dns_find_mx(const char *domain,
    struct dns_mx ret_records[DNS_MX_MAX], size_t *ret_count);

/* Find the addresses of a host, for a stream socket to a port. The caller
 * frees them with freeaddrinfo(3). */
enum dns_answer dns_find_addresses(const char *host, int port,
    struct addrinfo **ret_addresses);

/* The domain as the DNS has it: U-labels become A-labels (RFC 5891). Returns
 * 0 or -EBADMSG. */
int dns_to_ascii(const char *domain, char ret_domain[DNS_NAME_SIZE]);

#endif
