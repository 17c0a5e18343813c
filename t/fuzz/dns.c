/* SPDX-License-Identifier: ISC */

/*
 * dns.c - DNS answers: a host name that is found is text that can be queried
 * and logged, and there are no more records than the answer can contain.
 */

#include "config.h"

#include "smtp-deliver/net/dnsmessage.h"
#include "smtp-deliver/route/route.h"
#include "t/fuzz/fuzz.h"

#define HEADER_SIZE 12 /* RFC 1035 section 4.1.1 */
#define RECORD_MIN 14 /* an MX record with a root's name and a pointer */

static unsigned
get16(const uint8_t *data)
{
	return (unsigned)data[0] << 8 | data[1];
}

static void
check_record(const struct dns_mx *record)
{
	size_t length = strnlen(record->host, sizeof(record->host));

	must(record->preference <= UINT16_MAX);
	must(length < sizeof(record->host));
	must(fuzz_is_printable(record->host, length));
	must(strchr(record->host, ' ') == NULL);
	must(strcmp(record->host, ".") != 0);
}

/* Ordered by preference, and no record was lost. */
static void
check_order(struct dns_mx *records, size_t count)
{
	unsigned long before = 0, after = 0;

	for (size_t i = 0; i < count; i++)
		before += records[i].preference + strlen(records[i].host);
	route_order(records, count);
	for (size_t i = 0; i < count; i++) {
		after += records[i].preference + strlen(records[i].host);
		must(i == 0 ||
		    records[i - 1].preference <= records[i].preference);
	}
	must(before == after);
}

/* Check the other records that are taken from answers. */
static void
check_tlsa(const unsigned char *answer, size_t size)
{
	static struct tls_tlsa records[DNS_TLSA_MAX];
	char owner[DNS_NAME_SIZE] = "", text[DNS_TEXT_SIZE] = "";
	size_t count = 0;
	enum dns_answer result =
	    dnsmessage_parse_tlsa(answer, size, records, &count);

	must((result == DNS_FOUND) == (count > 0));
	must(count <= DNS_TLSA_MAX);
	for (size_t i = 0; i < count; i++)
		must(records[i].size_bytes <= TLSA_DATA_MAX);
	(void)dnsmessage_find_text(answer, size, "v", text);
	must(strnlen(text, sizeof(text)) < sizeof(text));
	(void)dnsmessage_find_owner(answer, size, DNS_TYPE_TLSA, owner);
	must(fuzz_is_printable(owner, strnlen(owner, sizeof(owner))));
	must(!dnsmessage_is_authentic(answer, size) ||
	    (size > 3 && (answer[3] & 0x20) != 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *answer = (unsigned char *)fuzz_copy(data, size);
	struct dns_mx records[DNS_MX_MAX];
	size_t count = 0;
	enum dns_answer result =
	    dnsmessage_parse_mx(answer, size, records, &count);

	must(result == DNS_FOUND || result == DNS_NO_DATA ||
	    result == DNS_TROUBLE);
	must((result == DNS_FOUND) == (count > 0));
	must(count <= DNS_MX_MAX);
	if (result != DNS_TROUBLE) {
		must(size >= HEADER_SIZE);
		must(count <= get16(data + 6));
		must(size >= HEADER_SIZE + count * RECORD_MIN);
	}
	for (size_t i = 0; i < count; i++)
		check_record(&records[i]);
	check_order(records, count);
	check_tlsa(answer, size);
	free(answer);
	return 0;
}
