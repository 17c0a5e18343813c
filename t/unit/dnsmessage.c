/* SPDX-License-Identifier: ISC */

/*
 * dnsmessage.c - the records of DNS answers; damaged answers are detected.
 */

#include "config.h"

#include "smtp-deliver/net/dnsmessage.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define MESSAGE_SIZE 1024

/* clang-format off */

/* A header with one question and a number of answers; the question, to which
 * the names of the records point. */
#define HEADER(answers) "\x12\x34\x81\x80" "\0\1" "\0" answers "\0\0\0\0"
#define QUESTION "\7example\3org\0" "\0\x0f" "\0\1"
#define MX "\xc0\x0c" "\0\x0f" "\0\1" "\0\0\x0e\x10"
#define CNAME "\xc0\x0c" "\0\5" "\0\1" "\0\0\x0e\x10"
#define TEXT(text) text, sizeof(text) - 1

/* Answers, and their records, each as "preference host". */
static const struct {
	const char *name;
	const char *text;
	size_t length;
	enum dns_answer result;
	const char *records;
} rows[] = {
	{ "no records", TEXT(HEADER("\0") QUESTION), DNS_NO_DATA, "" },
	{ "two records",
	    TEXT(HEADER("\2") QUESTION MX "\0\x08" "\0\x0a" "\3mx1\xc0\x0c"
		MX "\0\x08" "\1\0" "\3mx2\xc0\x0c"),
	    DNS_FOUND, "10 mx1.example.org,256 mx2.example.org," },
	{ "a null MX", TEXT(HEADER("\1") QUESTION MX "\0\3" "\0\0" "\0"),
	    DNS_FOUND, "0 ," },
	{ "an alias before the record",
	    TEXT(HEADER("\2") QUESTION CNAME "\0\5" "\2""ab\xc0\x0c"
		MX "\0\7" "\0\1" "\2mx\xc0\x0c"),
	    DNS_FOUND, "1 mx.example.org," },
	{ "odd octets in a name",
	    TEXT(HEADER("\1") QUESTION MX "\0\x08" "\0\1" "\4. \n\xe4\0"),
	    DNS_FOUND, "1 \\.\\032\\010\\228," },
	{ "a record without a name", TEXT(HEADER("\1") QUESTION MX "\0\2" "\0\1"),
	    DNS_TROUBLE, "" },
	{ "a name that points to itself",
	    TEXT(HEADER("\1") QUESTION MX "\0\4" "\0\1" "\xc0\x2b"),
	    DNS_TROUBLE, "" },
	{ "a name that points past the end",
	    TEXT(HEADER("\1") QUESTION MX "\0\4" "\0\1" "\xc1\0"),
	    DNS_TROUBLE, "" },
	{ "data longer than the message",
	    TEXT(HEADER("\1") QUESTION MX "\0\x09" "\0\1" "\2mx\xc0\x0c"),
	    DNS_TROUBLE, "" },
	{ "fewer records than the header says",
	    TEXT(HEADER("\2") QUESTION MX "\0\3" "\0\0" "\0"),
	    DNS_TROUBLE, "" },
	{ "half a header", TEXT("\x12\x34\x81\x80\0\0"), DNS_TROUBLE, "" },
	{ "nothing", TEXT(""), DNS_TROUBLE, "" },
};
/* clang-format on */

static void
check_row(size_t row)
{
	struct dns_mx records[DNS_MX_MAX];
	char text[MESSAGE_SIZE] = "";
	size_t count = 0;

	is_int(dnsmessage_parse_mx((const unsigned char *)rows[row].text,
		   rows[row].length, records, &count),
	    rows[row].result, "%s", rows[row].name);
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(text);

		(void)snprintf(text + used, sizeof(text) - used, "%u %s,",
		    records[i].preference, records[i].host);
	}
	is_str(text, rows[row].records, "records of: %s", rows[row].name);
}

/* One record more than is kept, each preferred to the one before. */
static void
best_records_are_kept(void)
{
	static const char record[] = MX "\0\4"
					"\0\0"
					"\xc0\x0c";
	unsigned char message[MESSAGE_SIZE] = HEADER("\0") QUESTION;
	size_t length = sizeof(HEADER("\0") QUESTION) - 1, count = 0;
	struct dns_mx records[DNS_MX_MAX];
	unsigned worst = 0;

	message[7] = DNS_MX_MAX + 1;
	for (int i = DNS_MX_MAX + 1; i > 0; i--) {
		memcpy(message + length, record, sizeof(record) - 1);
		length += sizeof(record) - 1;
		message[length - 3] = (unsigned char)i;
	}
	need(
	    dnsmessage_parse_mx(message, length, records, &count) == DNS_FOUND);
	is_int((int64_t)count, DNS_MX_MAX,
	    "no more than DNS_MX_MAX records are kept");
	for (size_t i = 0; i < count; i++)
		if (records[i].preference > worst)
			worst = records[i].preference;
	is_int(worst, DNS_MX_MAX, "the least preferred record is left out");
}

#define TLSA       \
	"\xc0\x0c" \
	"\0\x34"   \
	"\0\1"     \
	"\0\0\x0e\x10"
#define ADDRESS      \
	"\2"         \
	"ab\xc0\x0c" \
	"\0\1"       \
	"\0\1"       \
	"\0\0\x0e\x10"

static const char tlsa_answer[] =
    HEADER("\3") QUESTION TLSA "\0\5"
			       "\3\1\1"
			       "xy" CNAME "\0\2"
			       "\xc0\x0c" TLSA "\0\4"
			       "\2\0\xff"
			       "z";

static void
tlsa_records_are_taken(void)
{
	static struct tls_tlsa records[DNS_TLSA_MAX];
	const unsigned char *answer = (const unsigned char *)tlsa_answer;
	size_t count = 0, length = sizeof(tlsa_answer) - 1;
	unsigned wrong = 0;

	is_int(dnsmessage_parse_tlsa(answer, length, records, &count),
	    DNS_FOUND, "TLSA records are found");
	is_int((int64_t)count, 2, "both records are found");
	ok(records[0].usage == 3 && records[0].selector == 1 &&
		records[0].matching == 1 && records[0].size_bytes == 2 &&
		memcmp(records[0].data, "xy", 2) == 0,
	    "the first has its values");
	ok(records[1].usage == 2 && records[1].selector == 0 &&
		records[1].matching == 255 && records[1].size_bytes == 1,
	    "and so has the second");
	for (size_t n = 0; n < length; n++)
		wrong += dnsmessage_parse_tlsa(answer, n, records, &count) !=
		    DNS_TROUBLE;
	is_int(wrong, 0, "an answer cut short at any octet is detected");
}

static void
a_tlsa_record_has_data(void)
{
	static const char answer[] = HEADER("\1") QUESTION TLSA "\0\3"
								"\3\1\1";
	static struct tls_tlsa records[DNS_TLSA_MAX];
	size_t count;

	is_int(dnsmessage_parse_tlsa((const unsigned char *)answer,
		   sizeof(answer) - 1, records, &count),
	    DNS_TROUBLE, "a TLSA record without data is detected");
}

#define TXT        \
	"\xc0\x0c" \
	"\0\x10"   \
	"\0\1"     \
	"\0\0\x0e\x10"

static void
a_text_is_found(void)
{
	static const char one[] = HEADER("\2") QUESTION TXT "\0\4"
							    "\3v=a" TXT "\0\6"
							    "\2v="
							    "\2"
							    "by";
	static const char two[] = HEADER("\2") QUESTION TXT "\0\4"
							    "\3v=b" TXT "\0\6"
							    "\2v="
							    "\2"
							    "by";
	static const char odd[] = HEADER("\3") QUESTION TXT "\0\4"
							    "\4v=b" TXT "\0\4"
							    "\3"
							    "v=\0" TXT "\0\0";
	char text[DNS_TEXT_SIZE];

	is_int(dnsmessage_find_text((const unsigned char *)one, sizeof(one) - 1,
		   "v=b", text),
	    DNS_FOUND, "a TXT record is found by its beginning");
	is_str(text, "v=by", "its strings are joined");
	is_int(dnsmessage_find_text((const unsigned char *)two, sizeof(two) - 1,
		   "v=b", text),
	    DNS_NO_DATA, "two such records are ignored");
	is_int(dnsmessage_find_text((const unsigned char *)odd, sizeof(odd) - 1,
		   "v=", text),
	    DNS_NO_DATA, "malformed ones are not used");
}

static void
an_owner_is_found(void)
{
	static const char answer[] =
	    HEADER("\2") QUESTION CNAME "\0\5"
					"\2"
					"ab\xc0\x0c" ADDRESS "\0\4"
					"\xc0\0\2\1";
	const unsigned char *octets = (const unsigned char *)answer;
	char owner[DNS_NAME_SIZE];

	is_int(dnsmessage_find_owner(octets, sizeof(answer) - 1, 1, owner),
	    DNS_FOUND, "an address is found");
	is_str(owner, "ab.example.org", "and its owner");
	is_int(dnsmessage_find_owner(octets, sizeof(answer) - 1, 28, owner),
	    DNS_NO_DATA, "but no address of another family");
}

static void
the_ad_bit_is_checked(void)
{
	unsigned char answer[] = HEADER("\0") QUESTION;

	ok(!dnsmessage_is_authentic(answer, sizeof(answer) - 1),
	    "an answer without AD is not authentic");
	answer[3] |= 0x20;
	ok(dnsmessage_is_authentic(answer, sizeof(answer) - 1),
	    "one with AD is");
	ok(!dnsmessage_is_authentic(answer, 11),
	    "half a header is not authentic");
}

/* A torn answer must not give records. */
static void
every_torn_answer_is_detected(void)
{
	struct dns_mx records[DNS_MX_MAX];
	unsigned wrong = 0;
	size_t count;

	for (size_t n = 0; n < rows[1].length; n++)
		wrong +=
		    dnsmessage_parse_mx((const unsigned char *)rows[1].text, n,
			records, &count) != DNS_TROUBLE;
	is_int(wrong, 0, "an MX answer cut short at any octet is detected");
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(i);
	best_records_are_kept();
	every_torn_answer_is_detected();
	tlsa_records_are_taken();
	a_tlsa_record_has_data();
	a_text_is_found();
	an_owner_is_found();
	the_ad_bit_is_checked();
	return done_testing();
}
