/* SPDX-License-Identifier: ISC */

/*
 * dnsmessage.c - answers of the resolver (RFC 1035 sections 3.3.9 and 4.1; RFC
 * 6698 section 2.1).
 *
 * Pure: octets in, records out.
 */

#include "config.h"

#include <arpa/nameser.h>
#include <resolv.h>
#include <string.h>

#include "smtp-deliver/net/dnsmessage.h"

#define TLSA_HEADER_SIZE 3

/* Take the data of an MX record: preference, then the host's name (RFC 1035
 * section 3.3.9). Returns whether it is intact. */
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

/* Keep a record. Without room it replaces the worst one, if it is better. */
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

/* Takes a record. Returns whether it is intact. */
typedef bool take_record(ns_msg *message, const ns_rr *record, void *context);

/* Take all records of a type. Returns how many there were, or -1 for a damaged
 * message. */
static int
take_records(const unsigned char *answer, size_t length, int type,
    take_record *take, void *context)
{
	ns_msg message;
	ns_rr rr;
	int count = 0;

	if (length > NS_MAXMSG ||
	    ns_initparse(answer, (int)length, &message) == -1)
		return -1;
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &rr) == -1)
			return -1;
		if ((int)ns_rr_type(rr) != type)
			continue;
		if (!take(&message, &rr, context))
			return -1;
		count++;
	}
	return count;
}

static enum dns_answer
to_answer(int count)
{
	if (count < 0)
		return DNS_TROUBLE;
	return count > 0 ? DNS_FOUND : DNS_NO_DATA;
}

struct mx_list {
	struct dns_mx *records;
	size_t count;
};

static bool
take_mx(ns_msg *message, const ns_rr *rr, void *context)
{
	struct mx_list *list = context;
	struct dns_mx record;

	if (!parse_mx(message, rr, &record))
		return false;
	keep_record(&record, list->records, &list->count);
	return true;
}

enum dns_answer
dnsmessage_parse_mx(const unsigned char *answer, size_t length,
    struct dns_mx ret_records[DNS_MX_MAX], size_t *ret_count)
{
	struct mx_list list = { .records = ret_records };
	int count = take_records(answer, length, ns_t_mx, take_mx, &list);

	if (count >= 0)
		*ret_count = list.count;
	return to_answer(count);
}

struct tlsa_list {
	struct tls_tlsa *records;
	size_t count;
};

static bool
take_tlsa(ns_msg *message, const ns_rr *rr, void *context)
{
	struct tlsa_list *list = context;
	const unsigned char *data = ns_rr_rdata(*rr);
	size_t length = ns_rr_rdlen(*rr);
	struct tls_tlsa *record = &list->records[list->count];

	(void)message;
	if (length <= TLSA_HEADER_SIZE)
		return false;
	if (list->count == DNS_TLSA_MAX)
		return true;
	record->usage = data[0];
	record->selector = data[1];
	record->matching = data[2];
	record->size_bytes = length - TLSA_HEADER_SIZE;
	/* A longer certificate could not be compared. */
	if (record->size_bytes > TLSA_DATA_MAX)
		record->size_bytes = 0;
	memcpy(record->data, data + TLSA_HEADER_SIZE, record->size_bytes);
	list->count++;
	return true;
}

enum dns_answer
dnsmessage_parse_tlsa(const unsigned char *answer, size_t length,
    struct tls_tlsa ret_records[DNS_TLSA_MAX], size_t *ret_count)
{
	struct tlsa_list list = { .records = ret_records };
	int count =
	    take_records(answer, length, DNS_TYPE_TLSA, take_tlsa, &list);

	if (count >= 0)
		*ret_count = list.count;
	return to_answer(count);
}

struct text_search {
	const char *prefix;
	char *text;
	size_t found;
};

/* Take the data of a TXT record: strings of up to 255 octets, which are
 * concatenated (RFC 1035 section 3.3.14). Returns whether it is intact and
 * fits. */
static bool
join_strings(const ns_rr *rr, char ret_text[DNS_TEXT_SIZE])
{
	const unsigned char *data = ns_rr_rdata(*rr);
	size_t length = ns_rr_rdlen(*rr), used = 0;

	while (length > 0) {
		size_t n = data[0];

		if (n >= length || used + n >= DNS_TEXT_SIZE ||
		    memchr(data + 1, '\0', n) != NULL)
			return false;
		memcpy(ret_text + used, data + 1, n);
		used += n;
		data += n + 1;
		length -= n + 1;
	}
	ret_text[used] = '\0';
	return true;
}

static bool
take_text(ns_msg *message, const ns_rr *rr, void *context)
{
	struct text_search *search = context;
	char text[DNS_TEXT_SIZE];

	(void)message;
	/* A record that is too long or odd cannot be the one. */
	if (!join_strings(rr, text) ||
	    strncmp(text, search->prefix, strlen(search->prefix)) != 0)
		return true;
	search->found++;
	(void)strlcpy(search->text, text, DNS_TEXT_SIZE);
	return true;
}

enum dns_answer
dnsmessage_find_text(const unsigned char *answer, size_t length,
    const char *prefix, char ret_text[DNS_TEXT_SIZE])
{
	struct text_search search = { .prefix = prefix, .text = ret_text };

	if (take_records(answer, length, ns_t_txt, take_text, &search) < 0)
		return DNS_TROUBLE;
	return search.found == 1 ? DNS_FOUND : DNS_NO_DATA;
}

static bool
take_owner(ns_msg *message, const ns_rr *rr, void *context)
{
	char *owner = context;

	(void)message;
	(void)strlcpy(owner, ns_rr_name(*rr), DNS_NAME_SIZE);
	return true;
}

enum dns_answer
dnsmessage_find_owner(const unsigned char *answer, size_t length, int type,
    char ret_owner[DNS_NAME_SIZE])
{
	return to_answer(
	    take_records(answer, length, type, take_owner, ret_owner));
}

bool
dnsmessage_is_authentic(const unsigned char *answer, size_t length)
{
	ns_msg message;

	return length <= NS_MAXMSG &&
	    ns_initparse(answer, (int)length, &message) == 0 &&
	    ns_msg_getflag(message, ns_f_ad) != 0;
}
