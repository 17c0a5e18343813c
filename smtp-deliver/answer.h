/* SPDX-License-Identifier: ISC */

#ifndef ANSWER_H
#define ANSWER_H

#include <stddef.h>

#include "smtp-deliver/dns.h"

/*
 * Take the MX records out of an answer, which is a whole message of the DNS.
 * Where there are more than DNS_MX_MAX those of the least preference are kept;
 * what else stands in the answer is passed over.
 *
 * ret_count	how many there are; set with DNS_FOUND and DNS_NO_DATA.
 *
 * Returns DNS_FOUND, DNS_NO_DATA, or DNS_TROUBLE for what is no message or
 * has a damaged record.
 */
enum dns_answer answer_parse_mx(const unsigned char *answer, size_t length,
    struct dns_mx ret_records[DNS_MX_MAX], size_t *ret_count);

#endif
