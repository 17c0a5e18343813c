/* SPDX-License-Identifier: ISC */

/*
 * envelope.c - the block before a message is parsed as it was rendered; any
 * other block is damaged.
 */

#include "config.h"

#include <sys/resource.h>

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <unistd.h>

#include "lib/spool/envelope.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define ID "019aad1f6b2e5d0c7f3a9be1"
#define SEAL "X-Smtpserver-Content: size=000000001234 xxh3=0123456789abcdef\r\n"

/* clang-format off */
static const char *const whole[] = {
	"Return-Path: <a@example.com>\r\n"
	"Envelope-To: <b@example.org>\r\n"
	"X-Smtpserver-Id: " ID "\r\n"
	SEAL,

	/* a bounce, in UTF-8, to several recipients */
	"Return-Path: <>\r\n"
	"Envelope-To: <b\xc3\xbc@b\xc3\xbc.example>\r\n"
	"Envelope-To: <\"a b\"@[192.0.2.1]>\r\n"
	"Envelope-To: <\"<>\"@[ipv6:2001:db8::1]>\r\n"
	"X-Smtpserver-Id: " ID "\r\n"
	"X-Smtpserver-Options: 8BITMIME SMTPUTF8\r\n"
	SEAL,

	"Return-Path: <a@example.com>\r\n"
	"Envelope-To: <b@example.org>\r\n"
	"X-Smtpserver-Id: " ID "\r\n"
	"X-Smtpserver-Options: 8BITMIME\r\n"
	SEAL,

	"Return-Path: <a@example.com>\r\n"
	"Envelope-To: <b@example.org>\r\n"
	"X-Smtpserver-Id: " ID "\r\n"
	"X-Smtpserver-Options: SMTPUTF8\r\n"
	SEAL,

	/* with the parameters of RFC 3461 */
	"Return-Path: <a@example.com>\r\n"
	"Envelope-To: <b@example.org>\r\n"
	"X-Smtpserver-Notify: SUCCESS,FAILURE,DELAY\r\n"
	"X-Smtpserver-Orcpt: rfc822;bob+2Btag@example.org\r\n"
	"Envelope-To: <c@example.org>\r\n"
	"Envelope-To: <d@example.org>\r\n"
	"X-Smtpserver-Notify: NEVER\r\n"
	"X-Smtpserver-Id: " ID "\r\n"
	"X-Smtpserver-Options: RET=HDRS\r\n"
	"X-Smtpserver-Envid: QQ314159\r\n"
	SEAL,

	"Return-Path: <a@example.com>\r\n"
	"Envelope-To: <b@example.org>\r\n"
	"X-Smtpserver-Id: " ID "\r\n"
	"X-Smtpserver-Options: 8BITMIME SMTPUTF8 RET=FULL\r\n"
	SEAL,

	/* with RFC 8689 */
	"Return-Path: <a@example.com>\r\n"
	"Envelope-To: <b@example.org>\r\n"
	"X-Smtpserver-Id: " ID "\r\n"
	"X-Smtpserver-Options: REQUIRETLS\r\n"
	SEAL,

	"Return-Path: <a@example.com>\r\n"
	"Envelope-To: <b@example.org>\r\n"
	"X-Smtpserver-Id: " ID "\r\n"
	"X-Smtpserver-Options: 8BITMIME SMTPUTF8 REQUIRETLS RET=FULL\r\n"
	SEAL,
};

#define FROM "Return-Path: <a@b>\r\n"
#define TO "Envelope-To: <c@d>\r\n"
#define NAME "X-Smtpserver-Id: " ID "\r\n"

static const char *const damaged[] = {
	/* incomplete, or not ours */
	"", "\r\n", "rubbish\r\n",
	TO NAME SEAL, FROM NAME SEAL, FROM TO SEAL, FROM TO NAME,
	FROM TO NAME "\r\n" SEAL,
	FROM TO NAME "Subject: x\r\n" SEAL,
	FROM TO NAME " \r\n" SEAL,
	"return-path: <a@b>\r\n" TO NAME SEAL,

	/* line ends */
	"Return-Path: <a@b>\n" TO NAME SEAL,
	"Return-Path: <a@b>\r\r\n" TO NAME SEAL,
	"\n" FROM TO NAME SEAL,

	/* values */
	"Return-Path: a@b\r\n" TO NAME SEAL,
	"Return-Path: <a@b> \r\n" TO NAME SEAL,
	"Return-Path: <@one:a@b>x\r\n" TO NAME SEAL,
	"Return-Path: <a@b>\r\nEnvelope-To: <>\r\n" NAME SEAL,
	FROM "Envelope-To: <c>\r\n" NAME SEAL,
	FROM "Envelope-To: \r\n" NAME SEAL,
	FROM TO "X-Smtpserver-Id: " ID "0\r\n" SEAL,
	FROM TO "X-Smtpserver-Id: 019AAD1F6B2E5D0C7F3A9BE1\r\n" SEAL,
	FROM TO "X-Smtpserver-Id: \r\n" SEAL,
	FROM TO NAME "X-Smtpserver-Options: 7BIT\r\n" SEAL,
	FROM TO NAME "X-Smtpserver-Options: 8bitmime\r\n" SEAL,
	FROM TO NAME "X-Smtpserver-Options: RET=\r\n" SEAL,
	FROM TO NAME "X-Smtpserver-Options: REQUIRETLS=\r\n" SEAL,
	FROM "X-Smtpserver-Notify: NEVER\r\n" TO NAME SEAL,
	FROM "X-Smtpserver-Orcpt: rfc822;a\r\n" TO NAME SEAL,
	FROM TO "X-Smtpserver-Notify: \r\n" NAME SEAL,
	FROM TO "X-Smtpserver-Notify: NEVER,DELAY\r\n" NAME SEAL,
	FROM TO "X-Smtpserver-Orcpt: a\r\n" NAME SEAL,
	FROM TO "X-Smtpserver-Orcpt: rfc822;a b\r\n" NAME SEAL,
	FROM TO NAME "X-Smtpserver-Envid: \r\n" SEAL,
	FROM TO NAME "X-Smtpserver-Envid: a=b\r\n" SEAL,

	/* seals */
	FROM TO NAME "X-Smtpserver-Content: \r\n",
	FROM TO NAME "X-Smtpserver-Content: size=1234 xxh3=0123456789abcdef\r\n",
	FROM TO NAME "X-Smtpserver-Content: size=000000001234 xxh3=123456789abcdef\r\n",
	FROM TO NAME "X-Smtpserver-Content: size=000000001234 xxh3=0123456789ABCDEF\r\n",
	FROM TO NAME "X-Smtpserver-Content: size=00000000123x xxh3=0123456789abcdef\r\n",
	FROM TO NAME "X-Smtpserver-Content: size=-00000001234 xxh3=0123456789abcdef\r\n",
	FROM TO NAME "X-Smtpserver-Content: size=000000001234 xxh3=0123456789abcdef \r\n",
	FROM TO NAME "X-Smtpserver-Content: size=000000001234 xxh3=0123456789abcdef",
	FROM TO NAME "X-Smtpserver-Content: size=000000001234 xxh3=0123456789abcdef\r",
};
/* clang-format on */

/* Parse a copy of exactly that length, so that a sanitizer detects reading
 * beyond its end. */
static int
parse(const char *text, size_t length, struct envelope *ret_envelope,
    struct envelope_seal *ret_seal, size_t *ret_length)
{
	char *copy = malloc(length > 0 ? length : 1);
	int r;

	need(copy != NULL);
	memcpy(copy, text, length);
	r = envelope_parse(copy, length, ret_envelope, ret_seal, ret_length);
	free(copy);
	return r;
}

static void
check_whole(const char *text, size_t number)
{
	struct envelope envelope;
	struct envelope_seal seal;
	char *again, seal_line[ENVELOPE_SEAL_SIZE + 1];
	size_t length, size = 0, torn = 0;

	if (!is_int(parse(text, strlen(text), &envelope, &seal, &size), 0,
		"block %zu is read", number))
		return;
	is_int((int64_t)size, (int64_t)strlen(text),
	    "block %zu is read to its end", number);
	is_str(envelope.id, ID, "block %zu has its id", number);
	is_int((int64_t)seal.size_bytes, 1234, "block %zu has its size",
	    number);
	is_int((int64_t)seal.checksum, 0x0123456789abcdef,
	    "block %zu has its checksum", number);

	need(envelope_render(&envelope, &again, &length) == 0);
	is_mem(again, length, text, strlen(text) - ENVELOPE_SEAL_SIZE,
	    "block %zu is written again as it was", number);
	envelope_render_seal(&seal, seal_line);
	is_str(seal_line, SEAL, "so is its seal");
	free(again);
	envelope_clear(&envelope);

	for (size_t n = 0; n < strlen(text); n++)
		torn += parse(text, n, &envelope, &seal, &size) == -EBADMSG &&
		    envelope.sender == NULL && envelope.recipients == NULL;
	is_int((int64_t)torn, (int64_t)strlen(text),
	    "block %zu is damaged and its envelope empty if cut at any octet",
	    number);
}

static void
message_follows_the_block(void)
{
	static const char text[] = FROM TO NAME SEAL FROM TO "\r\nbody\r\n";
	struct envelope envelope;
	struct envelope_seal seal;
	size_t size = 0;

	is_int(parse(text, sizeof(text) - 1, &envelope, &seal, &size), 0,
	    "a block is read before a message");
	is_str(text + size, FROM TO "\r\nbody\r\n",
	    "the message begins after the seal, whatever it looks like");
	is_int((int64_t)envelope.recipient_count, 1,
	    "the message adds no recipient");
	envelope_clear(&envelope);
}

static void
nul_is_damage(void)
{
	static const char text[] = "Return-Path: <a@b>\0\r\n" TO NAME SEAL;
	struct envelope envelope;
	struct envelope_seal seal;
	size_t size;

	is_int(parse(text, sizeof(text) - 1, &envelope, &seal, &size), -EBADMSG,
	    "a NUL in the block is damage");
}

static void
recipients_are_added_once(void)
{
	struct envelope envelope = { .sender = NULL };

	need(envelope_add_recipient(&envelope, "a@b") == 0);
	need(envelope_add_recipient(&envelope, "c@d") == 0);
	is_int(envelope_add_recipient(&envelope, "a@b"), 0,
	    "a recipient may be added twice");
	is_int((int64_t)envelope.recipient_count, 2, "and is kept once");
	need(envelope_add_recipient(&envelope, "A@b") == 0);
	is_int((int64_t)envelope.recipient_count, 3,
	    "the case of local parts matters");
	envelope_clear(&envelope);
	is_int((int64_t)envelope.recipient_count, 0,
	    "a cleared envelope has no recipients");
}

static void
sender_can_be_set_again(void)
{
	struct envelope envelope = { .sender = NULL };

	is_int(envelope_set_sender(&envelope, "a@b"), 0, "a sender is set");
	is_int(envelope_set_sender(&envelope, ""), 0, "and another");
	is_str(envelope.sender, "", "the second one counts");
	envelope_clear(&envelope);
	ok(envelope.sender == NULL, "a cleared envelope has no sender");
}

/* Add the maximum of recipients, each with an address of 254 octets, the
 * longest; ret_address is the last one. */
static int
fill(struct envelope *envelope, char ret_address[255])
{
	int r = envelope_set_sender(envelope, "");

	for (int i = 0; i < ENVELOPE_RECIPIENTS_MAX && r == 0; i++) {
		(void)snprintf(ret_address, 255, "%064d@%063d.%063d.%061d", i,
		    1, 1, 1);
		r = envelope_add_recipient(envelope, ret_address);
	}
	return r;
}

static void
full_envelope_fits_a_block(void)
{
	struct envelope envelope = { .id = ID }, again;
	struct envelope_seal seal = { .size_bytes = 1 };
	char address[255], seal_line[ENVELOPE_SEAL_SIZE + 1];
	char *text, *block;
	size_t length, size = 0;

	is_int(fill(&envelope, address), 0, "%d recipients are taken",
	    ENVELOPE_RECIPIENTS_MAX);
	is_int(envelope_add_recipient(&envelope, address), 0,
	    "the last one can be added again");
	is_int(envelope_add_recipient(&envelope, "more@example.org"), -E2BIG,
	    "but not another one");

	need(envelope_render(&envelope, &text, &length) == 0);
	need((block = malloc(length + ENVELOPE_SEAL_SIZE)) != NULL);
	envelope_render_seal(&seal, seal_line);
	memcpy(block, text, length);
	memcpy(block + length, seal_line, ENVELOPE_SEAL_SIZE);
	length += ENVELOPE_SEAL_SIZE;
	ok(length <= ENVELOPE_BLOCK_MAX, "a full block is no larger than %d",
	    ENVELOPE_BLOCK_MAX);
	is_int(parse(block, length, &again, &seal, &size), 0, "and is read");
	is_int((int64_t)again.recipient_count, ENVELOPE_RECIPIENTS_MAX,
	    "with all recipients");
	is_str(again.recipients[ENVELOPE_RECIPIENTS_MAX - 1], address,
	    "the last one too");
	free(text);
	free(block);
	envelope_clear(&envelope);
	envelope_clear(&again);
}

static size_t
address_space(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	char line[256];

	need(statm != NULL && fgets(line, sizeof(line), statm) != NULL);
	need(fclose(statm) == 0);
	return strtoul(line, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* Render with no more than size_bytes of additional memory. */
static int
render_within(const struct envelope *envelope, size_t size_bytes,
    size_t *ret_length)
{
	struct rlimit before, limit;
	char *text;
	int r;

	(void)malloc_trim(0); /* freed memory would suffice */
	need(getrlimit(RLIMIT_AS, &before) == 0);
	limit = before;
	limit.rlim_cur = address_space() + size_bytes;
	need(setrlimit(RLIMIT_AS, &limit) == 0);
	r = envelope_render(envelope, &text, ret_length);
	need(setrlimit(RLIMIT_AS, &before) == 0);
	if (r == 0)
		free(text);
	return r;
}

static void
short_memory_loses_no_recipient(void)
{
	struct envelope envelope = { .id = ID };
	char address[255], *text;
	size_t full, length, lost = 0, refused = 0;

	/* The sanitizers' own memory exceeds any limit. */
	if (address_space() > UINT64_C(1) << 40)
		return;
	need(fill(&envelope, address) == 0);
	need(envelope_render(&envelope, &text, &full) == 0);
	free(text);
	for (size_t room = 0; room < 5 * full; room += 4096) {
		int r = render_within(&envelope, room, &length);

		refused += r == -ENOMEM;
		lost += r == 0 && length != full;
	}
	ok(refused > 0, "an envelope is not rendered if memory is short");
	is_int((int64_t)lost, 0, "or it is rendered completely");
	envelope_clear(&envelope);
}

/* Replaces the C library's function: the given number of calls succeed. */
static int strdup_count = INT_MAX;

char *
strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = strdup_count-- > 0 ? malloc(size) : NULL;

	return copy != NULL ? memcpy(copy, text, size) : NULL;
}

static void
refused_recipient_is_not_added(void)
{
	struct envelope envelope = { .id = ID };

	need(envelope_add_request(&envelope, "a@b", 0, "rfc822;a@b") == 0);
	for (int i = 0; i < 2; i++) {
		strdup_count = i;
		is_int(envelope_add_request(&envelope, "c@d", 0, "rfc822;c@d"),
		    -ENOMEM, "no memory after %d copies", i);
		is_int((int64_t)envelope.recipient_count, 1,
		    "and no recipient was added");
	}
	strdup_count = 0;
	is_int(envelope_add_request(&envelope, "a@b", 0, "rfc822;x@y"), 0,
	    "a recipient that exists needs no memory");
	strdup_count = INT_MAX;
	need(envelope_add_request(&envelope, "c@d", 0, "rfc822;c@d") == 0);
	is_str(envelope.requests[1].orcpt, "rfc822;c@d",
	    "a refused recipient can be added later");
	envelope_clear(&envelope);
}

/* clang-format off */
static const struct { const char *text; size_t length; bool is_known; uid_t uid; const char *unit; } notes[] = {
#define NOTE "X-Smtpserver-Submitter: uid=33 unit=apache2.service\r\n"
#define LATER "X-Smtpserver-Later: x\r\n"
	{ NOTE "Received: x", sizeof(NOTE) - 1, true, 33, "apache2.service" },
	{ NOTE, sizeof(NOTE) - 1, true, 33, "apache2.service" },
	{ LATER NOTE LATER, sizeof(LATER NOTE LATER) - 1, true, 33, "apache2.service" },
	{ "Received: x\r\n" NOTE, 0, false, 0, "" },
	{ "X-Smtpserver-Submitter: uid=x\r\nReceived: x\r\n", 31, false, 0, "" },
	{ "X-Smtpserver-Submitter: uid=33", 0, false, 0, "" },
	{ "X-Smtpserver-Submitter: uid=33\n", 0, false, 0, "" },
	{ "From: x\r\n", 0, false, 0, "" },
	{ "", 0, false, 0, "" },
};
/* clang-format on */

static void
notes_follow_the_seal(void)
{
	char text[ENVELOPE_NOTES_SIZE];

	for (size_t i = 0; i < COUNT(notes); i++) {
		struct envelope envelope = { .sender = NULL };
		size_t length = strlen(notes[i].text);
		char *copy = malloc(length + 1);

		need(copy != NULL);
		memcpy(copy, notes[i].text, length);
		is_int((int64_t)envelope_parse_notes(copy, length, &envelope),
		    (int64_t)notes[i].length, "notes '%s'", notes[i].text);
		ok(envelope.submitter.is_known == notes[i].is_known &&
			envelope.submitter.uid == notes[i].uid,
		    "and their user");
		is_str(envelope.submitter.unit, notes[i].unit, "and unit");
		free(copy);
		if (!envelope.submitter.is_known)
			continue;
		is_int((int64_t)envelope_render_notes(&envelope, text),
		    sizeof(NOTE) - 1, "they are written");
		is_str(text, NOTE, "as they were");
	}
	is_int((int64_t)envelope_render_notes(
		   &(struct envelope){ .sender = NULL }, text),
	    0, "without a submitter there is none");
}

int
main(void)
{
	struct envelope envelope;
	struct envelope_seal seal;
	size_t size;

	for (size_t i = 0; i < COUNT(whole); i++)
		check_whole(whole[i], i);
	for (size_t i = 0; i < COUNT(damaged); i++)
		is_int(parse(damaged[i], strlen(damaged[i]), &envelope, &seal,
			   &size),
		    -EBADMSG, "damaged: %s", damaged[i]);
	message_follows_the_block();
	notes_follow_the_seal();
	nul_is_damage();
	recipients_are_added_once();
	sender_can_be_set_again();
	full_envelope_fits_a_block();
	short_memory_loses_no_recipient();
	refused_recipient_is_not_added();
	return done_testing();
}
