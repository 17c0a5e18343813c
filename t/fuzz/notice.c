/* SPDX-License-Identifier: ISC */

/*
 * notice.c - notices to senders: text from remote hosts and clients never
 * becomes a line, field or boundary of the notice, and the whole can be sent.
 *
 * The input is lines that end in LF: letters (d: of a delay, r: of a relay, w:
 * with the whole message, x: expired), the sender, the recipient, ORCPT, ENVID,
 * the host, its reply, our reason. The message follows them. An empty line
 * means that there is no such value.
 */

#include "config.h"

#include "lib/address.h"
#include "lib/dsn.h"
#include "lib/utf8.h"
#include "smtp-deliver/queue/notice.h"
#include "t/fuzz/fuzz.h"

#define ID "019aad1f6b2e5d0c7f3a9be1"
#define BOUNDARY "\r\n--=_" ID "\r\n"
#define END "--=_" ID "--\r\n"
#define LINE_OCTETS_MAX 998
#define LINES 8

enum line {
	LINE_LETTERS,
	LINE_SENDER,
	LINE_RECIPIENT,
	LINE_ORCPT,
	LINE_ENVID,
	LINE_HOST,
	LINE_REPLY,
	LINE_REASON,
};

/* Parse an address as a session does. Returns other if it is invalid. */
static const char *
take_address(const char *text, const char *other, struct address *address)
{
	char path[ADDRESS_PATH_MAX + 1];
	size_t used;

	if (snprintf(path, sizeof(path), "<%s>", text) >= (int)sizeof(path) ||
	    address_parse_path(path, ADDRESS_UTF8, address, &used) < 0 ||
	    path[used] != '\0')
		return other;
	return address->text;
}

static enum notice_kind
kind_of(const char *letters)
{
	if (strchr(letters, 'd') != NULL)
		return NOTICE_DELAYED;
	return strchr(letters, 'r') != NULL ? NOTICE_RELAYED : NOTICE_FAILED;
}

static size_t
count(const char *text, size_t length, const char *what)
{
	const char *end = text + length;
	size_t found = 0;

	while ((text = memmem(text, (size_t)(end - text), what,
		    strlen(what))) != NULL) {
		found++;
		text++;
	}
	return found;
}

/* Lines must end in CRLF and consist of octets that can be sent. */
static void
check_lines(const char *text, size_t length, bool is_8bit_allowed)
{
	size_t column = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\r') {
			must(i + 1 < length && text[i + 1] == '\n');
			column = 0;
			i++;
			continue;
		}
		must(c == '\t' || (c >= ' ' && c != 0x7f));
		must(c < 0x80 || is_8bit_allowed);
		must(++column <= LINE_OCTETS_MAX);
	}
	must(column == 0);
}

/* Return the length of the notice up to the original message, which may contain
 * anything. */
static size_t
find_message(const char *text, size_t length, const char *type)
{
	char opening[128];
	const char *found;

	(void)snprintf(opening, sizeof(opening),
	    BOUNDARY "Content-Type: %s\r\n", type);
	found = memmem(text, length, opening, strlen(opening));
	must(found != NULL);
	return (size_t)(found - text) + 2;
}

/* Each of our fields that programs read exists exactly once. */
static void
check_fields(const char *text, size_t length)
{
	const char *parts = memmem(text, length, "\r\n\r\n", 4);
	static const char opening[] = BOUNDARY "Content-Type: message/";
	const char *status = memmem(text, length, opening, sizeof(opening) - 1);
	size_t header, left;

	must(parts != NULL && status != NULL && status > parts);
	header = (size_t)(parts - text);
	left = length - (size_t)(status - text);
	must(count(text, header, "\r\nTo: ") == 1);
	must(count(text, header, "\r\nContent-Type: ") == 1);
	must(count(status, left, "\r\nContent-Type: ") == 1);
	/* After the part's header, and around the recipient's fields. */
	must(count(status, left, "\r\n\r\n") == 3);
	must(count(status, left, "\r\nFinal-Recipient: ") == 1);
	must(count(status, left, "\r\nAction: ") == 1);
	must(count(status, left, "\r\nStatus: ") == 1);
}

static void
check(const struct notice *notice, const char *text, size_t length)
{
	bool is_global = has_high_octet(notice->sender, strlen(notice->sender));
	size_t before = find_message(text, length,
	    notice->is_whole ? "message/rfc822" : "text/rfc822-headers");

	check_lines(text, notice->is_whole ? before : length, is_global);
	must(length > before + strlen(END));
	must(memcmp(text + length - strlen(END), END, strlen(END)) == 0);
	must(count(text, before, "\r\n--=_") == 2);
	check_fields(text, before);
}

/* Take a line off the front, up to its first NUL; the caller frees it. */
static char *
take_line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	size_t length = end != NULL ? (size_t)(end - *data) : *size;
	char *line = fuzz_text(*data, length);

	*data += length + (end != NULL);
	*size -= length + (end != NULL);
	return line;
}

static void
render(char *const lines[LINES], const char *original, size_t length)
{
	struct address sender, address;
	struct notice_recipient recipient = {
		.address = take_address(lines[LINE_RECIPIENT],
		    "bob@example.org", &address),
		.orcpt = is_dsn_orcpt(lines[LINE_ORCPT], true)
		    ? lines[LINE_ORCPT]
		    : NULL,
		.status = "5.1.1",
		.host = lines[LINE_HOST],
		.reply = lines[LINE_REPLY],
		.reason = lines[LINE_REASON],
		.tried_real_ms = INT64_C(1763836310123),
		.is_expired = strchr(lines[LINE_LETTERS], 'x') != NULL,
	};
	struct notice notice = {
		.kind = kind_of(lines[LINE_LETTERS]),
		.id = ID,
		.hostname = "our.example.com",
		.sender = take_address(lines[LINE_SENDER], "alice@example.com",
		    &sender),
		.envid =
		    is_dsn_envid(lines[LINE_ENVID]) ? lines[LINE_ENVID] : NULL,
		.now_real_ms = INT64_C(1763836320000),
		.arrival_real_ms = INT64_C(1763836300000),
		.until_real_ms = INT64_C(1763936300000),
		.recipients = &recipient,
		.recipient_count = 1,
		.original = original,
		.original_length = length,
		.is_whole = strchr(lines[LINE_LETTERS], 'w') != NULL,
	};
	size_t rendered;
	char *text;

	must(notice_render(&notice, &text, &rendered) == 0);
	check(&notice, text, rendered);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *lines[LINES], *original;

	for (size_t i = 0; i < LINES; i++)
		lines[i] = take_line(&data, &size);
	original = fuzz_copy(data, size);
	render(lines, original, size);
	free(original);
	for (size_t i = 0; i < LINES; i++)
		free(lines[i]);
	return 0;
}
