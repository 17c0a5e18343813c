/* SPDX-License-Identifier: ISC */

/*
 * notice.c - the text of DSNs (RFC 3464, 6522, 6533).
 *
 *	multipart/report
 *	    text/plain			for people
 *	    message/delivery-status	for programs
 *	    text/rfc822-headers		the header of the message, or
 *	    message/rfc822		the message
 *
 * Pure. Texts of remote hosts and clients are made printable and folded, so
 * that they cannot forge a line, and no line is too long.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/clock.h"
#include "lib/dsn.h"
#include "lib/text.h"
#include "lib/utf8.h"
#include "smtp-deliver/queue/notice.h"

/* Both kinds of what is returned, and how the text for people announces it. */
#define WHOLE_TYPE "message/rfc822"
#define HEADER_TYPE "text/rfc822-headers"
#define WHOLE_FOLLOWS "A report for mail programs and your message follow."
#define HEADER_FOLLOWS \
	"A report for mail programs and the header of your message follow."

#define TEXT_SIZE 1024 /* of a host's or client's text; the rest is cut off */
#define COLUMNS 76
#define WORD_MAX 500 /* longer ones are broken: a line has 998 octets */
#define LINE_MAX_OCTETS 998
#define ENCODED_COLUMNS 75 /* RFC 2045 section 6.7, without the "=" */

struct wording {
	const char *subject;
	const char *action; /* RFC 3464 section 2.3.3 */
	const char *opening; /* after "Your message of <date>" */
	const char *closing;
};

static const struct wording wordings[] = {
	[NOTICE_FAILED] = {
		.subject = "Mail not delivered",
		.action = "failed",
		.opening = "could not be delivered to:",
		.closing =
		    "No further attempt will be made. Correct the address if "
		    "it is wrong and send the\r\nmessage again, or contact the "
		    "postmaster of the recipient's domain.",
	},
	[NOTICE_DELAYED] = {
		.subject = "Mail delayed",
		.action = "delayed",
		.opening = "has not been delivered yet to:",
		.closing =
		    "Delivery will be tried again: you need not do anything. "
		    "You will be notified if\r\nit fails.",
	},
	[NOTICE_RELAYED] = {
		.subject = "Mail relayed",
		.action = "relayed",
		.opening = "was passed to a mail server that does not confirm "
			   "delivery, for:",
		.closing = "You requested a delivery notification: there will "
			   "be no other one for\r\nthese recipients.",
	},
};

/* A part while it is written. */
struct part {
	FILE *file;
	char *text;
	size_t length;
};

static const struct wording *
wording(const struct notice *notice)
{
	return &wordings[notice->kind];
}

/* Whether the notice may have UTF-8 anywhere (RFC 6533). */
static bool
is_global(const struct notice *notice)
{
	return has_high_octet(notice->sender, strlen(notice->sender));
}

/* Whether the notice has a whole message that is 8-bit: a part of type message
 * must not be encoded. */
static bool
is_8bit(const struct notice *notice)
{
	return notice->is_whole &&
	    has_high_octet(notice->original, notice->original_length);
}

/* ---- texts of hosts and clients ------------------------------------------ */

/* Make a text printable: replace other characters by question marks. */
static const char *
printable(const char *text, bool is_utf8_allowed, char ret_text[TEXT_SIZE])
{
	size_t used = 0, length;

	for (; *text != '\0' && used < TEXT_SIZE - 8; text += length) {
		length = text_character_length(text);
		if (text_printable_length(text) == 0 ||
		    (length > 1 && !is_utf8_allowed))
			ret_text[used++] = '?';
		else {
			memcpy(ret_text + used, text, length);
			used += length;
		}
	}
	ret_text[used] = '\0';
	return ret_text;
}

/* Return the octets of a word that stay on one line. */
static size_t
word_length(const char *text)
{
	size_t length = strcspn(text, " ");

	if (length <= WORD_MAX)
		return length;
	length = WORD_MAX;
	while (((unsigned char)text[length] & 0xc0) == 0x80)
		length--;
	return length;
}

/* Write a text that begins in that column; indent further lines. */
static void
put_folded(FILE *file, size_t column, const char *indent, const char *text)
{
	while (*(text += strspn(text, " ")) != '\0') {
		size_t length = word_length(text);

		if (column + 1 + length > COLUMNS && column > strlen(indent)) {
			(void)fprintf(file, "\r\n%s", indent);
			column = strlen(indent);
		} else if (column > strlen(indent)) {
			(void)fputc(' ', file);
			column++;
		}
		(void)fwrite(text, 1, length, file);
		column += length;
		text += length;
	}
}

/* ---- parts --------------------------------------------------------------- */

static int
part_open(struct part *part)
{
	*part = (struct part){ .text = NULL };
	part->file = open_memstream(&part->text, &part->length);
	return part->file == NULL ? -ENOMEM : 0;
}

/* Returns 0, or -ENOMEM if the part is incomplete. */
static int
part_close(struct part *part)
{
	int is_broken = ferror(part->file);

	if (fclose(part->file) == EOF || is_broken)
		return -ENOMEM;
	return 0;
}

static bool
is_crlf(const char *text, size_t left)
{
	return left >= 2 && text[0] == '\r' && text[1] == '\n';
}

/* Whether a part needs no encoding: ASCII, in lines that are not too long. */
static bool
is_7bit(const char *text, size_t length)
{
	size_t column = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		if (is_crlf(text + i, length - i)) {
			column = 0;
			i++;
		} else if (c >= 0x7f || (c < ' ' && c != '\t') ||
		    ++column > LINE_MAX_OCTETS)
			return false;
	}
	return true;
}

/* Encode one octet in quoted-printable; return the length of its code. A blank
 * at the end of a line is encoded, as it would get lost. */
static size_t
encode_octet(const char *text, size_t left, char ret_code[4])
{
	unsigned char c = (unsigned char)*text;
	bool is_at_end = left == 1 || is_crlf(text + 1, left - 1);

	if ((c > ' ' && c <= '~' && c != '=') ||
	    ((c == ' ' || c == '\t') && !is_at_end)) {
		ret_code[0] = (char)c;
		return 1;
	}
	(void)snprintf(ret_code, 4, "=%02X", c);
	return 3;
}

/* Write octets in quoted-printable (RFC 2045 section 6.7). */
static void
put_encoded(FILE *file, const char *text, size_t length)
{
	size_t column = 0;

	for (size_t i = 0; i < length; i++) {
		char code[4];
		size_t size;

		if (is_crlf(text + i, length - i)) {
			(void)fputs("\r\n", file);
			column = 0;
			i++;
			continue;
		}
		size = encode_octet(text + i, length - i, code);
		if (column + size > ENCODED_COLUMNS) {
			(void)fputs("=\r\n", file);
			column = 0;
		}
		(void)fwrite(code, 1, size, file);
		column += size;
	}
}

/* Write a part, encoded if need be. Parts of type message are never encoded:
 * they have UTF-8 only where it is allowed. */
static void
put_part(FILE *file, const struct notice *notice, const char *type,
    const char *text, size_t length)
{
	bool is_message = strncmp(type, "message/", 8) == 0;
	bool is_plain = is_7bit(text, length);
	bool is_high = has_high_octet(text, length);

	(void)fprintf(file,
	    "--=_%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n"
	    "\r\n",
	    notice->id, type,
	    is_message     ? is_high ? "8bit" : "7bit"
		: is_plain ? "7bit"
			   : "quoted-printable");
	if (is_plain || is_message)
		(void)fwrite(text, 1, length, file);
	else
		put_encoded(file, text, length);
	(void)fputs("\r\n", file);
}

/* ---- for people ---------------------------------------------------------- */

static void
put_explanation(FILE *file, const struct notice_recipient *recipient)
{
	char text[3 * TEXT_SIZE], host[TEXT_SIZE], what[TEXT_SIZE];
	bool has_reply = *recipient->reply != '\0';

	printable(recipient->host, true, host);
	printable(has_reply ? recipient->reply : recipient->reason, true, what);
	(void)snprintf(text, sizeof(text), "%s%s%s%s",
	    recipient->is_expired ? "Delivery was retried until the message "
				    "expired. Last error: "
				  : "",
	    host,
	    *host == '\0'   ? ""
		: has_reply ? " said: "
			    : ": ",
	    what);
	(void)fputs("    ", file);
	put_folded(file, 4, "    ", text);
	(void)fputs("\r\n", file);
}

static void
put_text(FILE *file, const struct notice *notice)
{
	char date[CLOCK_DATE_SIZE], address[TEXT_SIZE];

	clock_format_date(notice->arrival_real_ms, date);
	(void)fprintf(file,
	    "This is the mail system of %s.\r\n\r\n"
	    "Your message of %s\r\n%s\r\n\r\n",
	    notice->hostname, date, wording(notice)->opening);
	for (size_t i = 0; i < notice->recipient_count; i++) {
		(void)fprintf(file, "  <%s>\r\n",
		    printable(notice->recipients[i].address, true, address));
		put_explanation(file, &notice->recipients[i]);
	}
	(void)fprintf(file, "\r\n%s\r\n\r\n%s\r\n", wording(notice)->closing,
	    notice->is_whole ? WHOLE_FOLLOWS : HEADER_FOLLOWS);
}

/* ---- for programs -------------------------------------------------------- */

static void
put_date(FILE *file, const char *name, int64_t real_ms)
{
	char date[CLOCK_DATE_SIZE];

	clock_format_date(real_ms, date);
	(void)fprintf(file, "%s: %s\r\n", name, date);
}

/* A field whose value is a type and a text. */
static void
put_typed(FILE *file, const struct notice *notice, const char *name,
    const char *type, const char *value)
{
	char text[TEXT_SIZE];
	int column = fprintf(file, "%s: %s;", name, type);

	put_folded(file, column > 0 ? (size_t)column : 0, " ",
	    printable(value, is_global(notice), text));
	(void)fputs("\r\n", file);
}

/* Write the UTF-8 in an address as ASCII (RFC 6533 section 3), unless the
 * notice may have UTF-8. Returns the text, what does not fit is cut off. */
static const char *
encode_address(const struct notice *notice, const char *address,
    char ret_text[TEXT_SIZE])
{
	size_t used = 0, length;

	if (is_global(notice))
		return address;
	for (; *address != '\0' && used < TEXT_SIZE - sizeof("\\x{10FFFF}");
	     address += length) {
		length = text_character_length(address);
		if (utf8_length(address) > 0)
			used += (size_t)snprintf(ret_text + used,
			    TEXT_SIZE - used, "\\x{%02" PRIX32 "}",
			    utf8_decode(address, length));
		else
			ret_text[used++] = *address;
	}
	ret_text[used] = '\0';
	return ret_text;
}

static void
put_recipient_field(FILE *file, const struct notice *notice,
    const char *address)
{
	bool is_utf8 = has_high_octet(address, strlen(address));
	char shown[TEXT_SIZE], encoded[TEXT_SIZE];

	printable(address, true, shown);
	(void)fprintf(file, "Final-Recipient: %s; %s\r\n",
	    is_utf8 ? "utf-8" : "rfc822",
	    encode_address(notice, shown, encoded));
}

/* Write a host by its name, or by its address if it has none. */
static void
put_host(FILE *file, const struct notice *notice, const char *host)
{
	char name[TEXT_SIZE];

	(void)strlcpy(name, host, sizeof(name));
	if (*name != '[')
		name[strcspn(name, "[")] = '\0';
	put_typed(file, notice, "Remote-MTA", "dns", name);
}

/* Write ORCPT, decoded from xtext. */
static void
put_original_recipient(FILE *file, const struct notice *notice,
    const char *orcpt)
{
	char decoded[DSN_TEXT_SIZE], type[DSN_TEXT_SIZE], encoded[TEXT_SIZE];
	size_t length = strcspn(orcpt, ";");

	if (orcpt[length] == '\0')
		return;
	(void)snprintf(type, sizeof(type), "%.*s", (int)length, orcpt);
	dsn_decode(orcpt + length + 1, decoded);
	put_typed(file, notice, "Original-Recipient", type,
	    encode_address(notice, decoded, encoded));
}

/* RFC 3464 section 2.3. */
static void
put_recipient_status(FILE *file, const struct notice *notice,
    const struct notice_recipient *recipient)
{
	if (recipient->orcpt != NULL)
		put_original_recipient(file, notice, recipient->orcpt);
	put_recipient_field(file, notice, recipient->address);
	(void)fprintf(file, "Action: %s\r\nStatus: %s\r\n",
	    wording(notice)->action, recipient->status);
	if (*recipient->host != '\0')
		put_host(file, notice, recipient->host);
	if (*recipient->reply != '\0')
		put_typed(file, notice, "Diagnostic-Code", "smtp",
		    recipient->reply);
	else if (*recipient->reason != '\0')
		put_typed(file, notice, "Diagnostic-Code", "X-Smtpserver",
		    recipient->reason);
	put_date(file, "Last-Attempt-Date", recipient->tried_real_ms);
	if (notice->kind == NOTICE_DELAYED)
		put_date(file, "Will-Retry-Until", notice->until_real_ms);
}

static void
put_envid(FILE *file, const struct notice *notice)
{
	static const char name[] = "Original-Envelope-Id:";
	char text[DSN_TEXT_SIZE];

	dsn_decode(notice->envid, text);
	(void)fputs(name, file);
	put_folded(file, sizeof(name), " ", text);
	(void)fputs("\r\n", file);
}

static void
put_status(FILE *file, const struct notice *notice)
{
	if (notice->envid != NULL)
		put_envid(file, notice);
	put_typed(file, notice, "Reporting-MTA", "dns", notice->hostname);
	put_date(file, "Arrival-Date", notice->arrival_real_ms);
	for (size_t i = 0; i < notice->recipient_count; i++) {
		(void)fputs("\r\n", file);
		put_recipient_status(file, notice, &notice->recipients[i]);
	}
}

/* ---- the whole ----------------------------------------------------------- */

static void
put_header(FILE *file, const struct notice *notice)
{
	char sender[TEXT_SIZE], quoted[ADDRESS_SIZE];

	put_date(file, "Date", notice->now_real_ms);
	(void)fprintf(file,
	    "From: Mail delivery <MAILER-DAEMON@%s>\r\n"
	    "To: <%s>\r\n"
	    "Subject: %s\r\n"
	    "Message-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=%sdelivery-status;\r\n"
	    "\tboundary=\"=_%s\"\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "\r\n",
	    notice->hostname,
	    printable(address_quote(notice->sender, quoted), true, sender),
	    wording(notice)->subject, notice->id, notice->hostname,
	    is_global(notice) ? "global-" : "", notice->id,
	    is_global(notice) || is_8bit(notice) ? "8bit" : "7bit");
}

/* Write a part by a function that writes its text. */
static int
add_part(FILE *file, const struct notice *notice, const char *type,
    void (*put)(FILE *file, const struct notice *notice))
{
	struct part part;
	int r;

	if ((r = part_open(&part)) < 0)
		return r;
	put(part.file, notice);
	if ((r = part_close(&part)) == 0)
		put_part(file, notice, type, part.text, part.length);
	free(part.text);
	return r;
}

static int
put_parts(FILE *file, const struct notice *notice)
{
	int r;

	put_header(file, notice);
	r = add_part(file, notice, "text/plain; charset=utf-8", put_text);
	if (r == 0)
		r = add_part(file, notice,
		    is_global(notice) ? "message/global-delivery-status"
				      : "message/delivery-status",
		    put_status);
	if (r == 0) {
		put_part(file, notice,
		    notice->is_whole ? WHOLE_TYPE : HEADER_TYPE,
		    notice->original, notice->original_length);
		(void)fprintf(file, "--=_%s--\r\n", notice->id);
	}
	return r;
}

int
notice_render(const struct notice *notice, char **ret_text, size_t *ret_length)
{
	struct part whole;
	int r, closed;

	if ((r = part_open(&whole)) < 0)
		return r;
	r = put_parts(whole.file, notice);
	closed = part_close(&whole);
	if (r == 0)
		r = closed;
	if (r < 0) {
		free(whole.text);
		return r;
	}
	*ret_text = whole.text;
	*ret_length = whole.length;
	return 0;
}

/* ---- less of the message ------------------------------------------------- */

bool
notice_find_whole(const char *id, const char *text, size_t length,
    const char **ret_original, size_t *ret_original_length)
{
	char begin[128], end[64];
	const char *part, *original;
	size_t end_length;

	(void)snprintf(begin, sizeof(begin),
	    "\r\n--=_%s\r\nContent-Type: " WHOLE_TYPE "\r\n", id);
	end_length = (size_t)snprintf(end, sizeof(end), "\r\n--=_%s--\r\n", id);
	part = memmem(text, length, begin, strlen(begin));
	if (part == NULL)
		return false;
	original = memmem(part + strlen(begin),
	    length - (size_t)(part + strlen(begin) - text), "\r\n\r\n", 4);
	if (original == NULL)
		return false;
	original += 4;
	length -= (size_t)(original - text);
	if (length < end_length ||
	    memcmp(original + length - end_length, end, end_length) != 0)
		return false;
	*ret_original = original;
	*ret_original_length = length - end_length;
	return true;
}

/* Write a text with the first occurrence of one word, if there is any, replaced
 * by another. Returns what follows it. */
static const char *
put_changed(FILE *file, const char *text, const char *end, const char *old,
    const char *new)
{
	const char *at = memmem(text, (size_t)(end - text), old, strlen(old));

	if (at == NULL)
		return text;
	(void)fwrite(text, 1, (size_t)(at - text), file);
	(void)fputs(new, file);
	return at + strlen(old);
}

int
notice_shorten(const char *id, const char *text, const char *original,
    size_t header_length, char **ret_text, size_t *ret_length)
{
	const struct notice notice = { .id = id };
	const char *end = original;
	struct part whole;
	int r;

	/* Up to the boundary before the message. */
	while (memcmp(end, "\r\n--=_", 6) != 0)
		end--;
	end += 2;
	if ((r = part_open(&whole)) < 0)
		return r;
	text = put_changed(whole.file, text, end,
	    "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
	    "\r\nContent-Transfer-Encoding: 7bit\r\n\r\n");
	text =
	    put_changed(whole.file, text, end, WHOLE_FOLLOWS, HEADER_FOLLOWS);
	(void)fwrite(text, 1, (size_t)(end - text), whole.file);
	put_part(whole.file, &notice, HEADER_TYPE, original, header_length);
	(void)fprintf(whole.file, "--=_%s--\r\n", id);
	if ((r = part_close(&whole)) < 0) {
		free(whole.text);
		return r;
	}
	*ret_text = whole.text;
	*ret_length = whole.length;
	return 0;
}
