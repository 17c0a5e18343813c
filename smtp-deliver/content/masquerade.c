/* SPDX-License-Identifier: ISC */

/*
 * masquerade.c - rewrite senders for relays that demand it.
 *
 * In the envelope, and in the From and Sender fields, which name who wrote and
 * sent a message (RFC 5322 section 3.6.2). Of a field only addresses are
 * replaced, octet by octet: names, comments, folds and groups stay.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/fields.h"
#include "lib/utf8.h"
#include "lib/text.h"
#include "smtp-deliver/content/encoded.h"
#include "smtp-deliver/content/masquerade.h"

#define SEPARATORS ", \t"
#define FIELD_MAX 8192 /* octets of a field; a larger one stays */
#define READ_SIZE 4096

/* ---- items --------------------------------------------------------------- */

static int
fail(char ret_error[MASQUERADE_ERROR_SIZE], const char *found, size_t length)
{
	(void)snprintf(ret_error, MASQUERADE_ERROR_SIZE,
	    "\"%.*s\"; expected up to %d of NEW or OLD=NEW, domains or "
	    "addresses, NEW in ASCII",
	    (int)(length < 64 ? length : 64), found, MASQUERADE_MAX);
	text_make_printable(ret_error);
	return -EINVAL;
}

static bool
is_address(const char *text)
{
	struct address address;

	return address_parse(text, ADDRESS_UTF8, &address) == 0;
}

static bool
parse_item(const char *text, size_t length, struct masquerade_item *ret_item)
{
	char copy[2 * ADDRESS_SIZE], *new = copy, *old = NULL, *equals;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	/* A local part may have "=", too; a domain has none. */
	if ((equals = strchr(copy, '=')) != NULL) {
		*equals = '\0';
		old = copy;
		new = equals + 1;
		if (!is_address(old) && !is_domain(old + (*old == '.'), true))
			return false;
	}
	return !has_high_octet(new, strlen(new)) &&
	    (is_address(new) || (*new != '[' && is_domain(new, false))) &&
	    strlcpy(ret_item->old, old != NULL ? old : "", ADDRESS_SIZE) <
	    ADDRESS_SIZE &&
	    strlcpy(ret_item->new, new, ADDRESS_SIZE) < ADDRESS_SIZE;
}

int
masquerade_parse(const char *text, const char *hostname,
    struct masquerade *ret_masquerade, char ret_error[MASQUERADE_ERROR_SIZE])
{
	ret_masquerade->hostname = hostname;
	ret_masquerade->count = 0;
	while (text != NULL && text[strspn(text, SEPARATORS)] != '\0') {
		size_t length;

		text += strspn(text, SEPARATORS);
		length = strcspn(text, SEPARATORS);
		if (ret_masquerade->count == MASQUERADE_MAX ||
		    !parse_item(text, length,
			&ret_masquerade->items[ret_masquerade->count++]))
			return fail(ret_error, text, length);
		text += length;
	}
	return 0;
}

/* ---- an address ---------------------------------------------------------- */

/* Whether a domain, or none, is this host. */
static bool
is_own(const struct masquerade *masquerade, const char *domain)
{
	return *domain == '\0' || strcasecmp(domain, "localhost") == 0 ||
	    strcasecmp(domain, masquerade->hostname) == 0;
}

static bool
is_below(const char *domain, const char *above)
{
	size_t length = strlen(domain), tail = strlen(above);

	return length > tail && strcasecmp(domain + length - tail, above) == 0;
}

static bool
has_match(const struct masquerade *masquerade,
    const struct masquerade_item *item, const char *address)
{
	const char *domain = address_domain(address);

	if (*item->old == '\0')
		return is_own(masquerade, domain);
	if (strchr(item->old, '@') != NULL)
		return strcasecmp(item->old, address) == 0;
	return *item->old == '.' ? is_below(domain, item->old)
				 : strcasecmp(item->old, domain) == 0;
}

bool
masquerade_address(const struct masquerade *masquerade, const char *address,
    char ret_address[ADDRESS_SIZE])
{
	const char *at = strrchr(address, '@');
	size_t local = at != NULL ? (size_t)(at - address) : strlen(address);
	const struct masquerade_item *item = masquerade->items;
	const struct masquerade_item *end = item + masquerade->count;

	while (item < end && !has_match(masquerade, item, address))
		item++;
	if (*address == '\0' || item == end)
		return false;
	if (strchr(item->new, '@') != NULL)
		(void)strlcpy(ret_address, item->new, ADDRESS_SIZE);
	else if (snprintf(ret_address, ADDRESS_SIZE, "%.*s@%s", (int)local,
		     address, item->new) >= ADDRESS_SIZE)
		return false;
	return is_address(ret_address) && strcmp(ret_address, address) != 0;
}

/* ---- a field ------------------------------------------------------------- */

/* A field's body, and where it is. */
struct mailboxes {
	const struct masquerade *masquerade;
	const char *text;
	size_t length;
	uint64_t offset; /* of text within the message */
	struct content *content;
};

/* The end of a quoted string or comment that begins at i; beyond the field if
 * it has none. */
static size_t
skip_nested(const struct mailboxes *field, size_t i)
{
	bool is_quoted = field->text[i] == '"';
	unsigned depth = 1;

	while (++i < field->length) {
		char c = field->text[i];

		if (c == '\\')
			i++;
		else if (is_quoted ? c == '"' : c == ')' && --depth == 0)
			return i + 1;
		else if (!is_quoted && c == '(')
			depth++;
	}
	return field->length + 1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Replace an address, if that is one and has a match. */
static void
replace(const struct mailboxes *field, size_t start, size_t end)
{
	char old[ADDRESS_SIZE], probe[ADDRESS_SIZE + 2];
	struct content *content = field->content;
	struct content_edit *edit = &content->edits[content->edit_count];
	size_t length = end - start;

	if (length == 0 || length >= sizeof(old) ||
	    content->edit_count == CONTENT_EDITS_MAX ||
	    memchr(field->text + start, '\0', length) != NULL)
		return;
	memcpy(old, field->text + start, length);
	old[length] = '\0';
	/* Without a domain it is a local user's; but an encoded word is part
	 * of a display name (RFC 2047). */
	(void)snprintf(probe, sizeof(probe), "%s@x", old);
	if (!is_address(old) &&
	    (!is_address(probe) || strncmp(old, "=?", 2) == 0))
		return;
	if (!masquerade_address(field->masquerade, old, edit->text))
		return;
	edit->offset = field->offset + start;
	edit->length = length;
	content->edit_count++;
}

/* What is known of a mailbox while it is read. */
struct mailbox {
	size_t start; /* of its first word */
	size_t end; /* after the last one */
	bool is_broken; /* there is something between, or an angle */
	bool is_any;
};

static void
add_word(struct mailbox *mailbox, size_t start, size_t end)
{
	if (!mailbox->is_any)
		mailbox->start = start;
	else if (start != mailbox->end)
		mailbox->is_broken = true;
	mailbox->is_any = true;
	mailbox->end = end;
}

/* An address in angles, which begin there. Returns where they end, or
 * beyond the field. */
static size_t
take_angle(const struct mailboxes *field, size_t i)
{
	size_t start = i + 1, end;

	for (i = start; i < field->length && field->text[i] != '>'; i++)
		if (field->text[i] == '"')
			i = skip_nested(field, i) - 1;
	if (i >= field->length)
		return field->length + 1;
	for (end = i; end > start && is_blank(field->text[end - 1]); end--)
		;
	while (start < end && is_blank(field->text[start]))
		start++;
	replace(field, start, end);
	return i + 1;
}

/* Take the next element of a list of mailboxes and groups. Returns where it
 * ends. */
static size_t
take_next(const struct mailboxes *field, size_t i, struct mailbox *mailbox)
{
	size_t next = i + 1, encoded;

	switch (field->text[i]) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		return next;
	case '(':
		return skip_nested(field, i);
	case '"':
		next = skip_nested(field, i);
		break;
	case '<':
		mailbox->is_broken = true;
		return take_angle(field, i);
	case ',':
	case ';':
		if (mailbox->is_any && !mailbox->is_broken)
			replace(field, mailbox->start, mailbox->end);
		*mailbox = (struct mailbox){ .is_any = false };
		return next;
	case ':': /* it was the name of a group */
		*mailbox = (struct mailbox){ .is_any = false };
		return next;
	default:
		encoded =
		    encoded_word_length(field->text + i, field->length - i);
		if (encoded > 0)
			next = i + encoded;
		break;
	}
	add_word(mailbox, i, next);
	return next;
}

static void
edit_field(const struct mailboxes *field)
{
	struct mailbox mailbox = { .is_any = false };
	size_t i = 0, count = field->content->edit_count;

	while (i < field->length)
		i = take_next(field, i, &mailbox);
	if (i > field->length) /* malformed: the meaning is unclear */
		field->content->edit_count = count;
	else if (mailbox.is_any && !mailbox.is_broken)
		replace(field, mailbox.start, mailbox.end);
}

/* ---- the header ---------------------------------------------------------- */

/* The header as it is read. */
struct header {
	const struct masquerade *masquerade;
	struct content *content;
	struct fields fields;
	bool is_over;
	bool is_edited; /* the field is From or Sender */
	size_t start_length; /* of its name, up to the colon */
	size_t length; /* of its body, which may be beyond what is kept */
	char text[FIELD_MAX];
};

static void
begin_field(struct header *header)
{
	header->is_edited = fields_has_name(&header->fields, "From") ||
	    fields_has_name(&header->fields, "Sender");
	header->start_length = header->fields.start_length;
	header->length = 0;
}

static void
add_text(struct header *header, const char *text, size_t length)
{
	if (header->is_edited && header->length + length <= FIELD_MAX)
		memcpy(header->text + header->length, text, length);
	header->length += length;
}

static void
end_field(struct header *header)
{
	uint64_t offset = header->fields.offset - header->length;

	if (header->is_edited &&
	    header->start_length + header->length <= FIELD_MAX)
		edit_field(&(struct mailboxes){
		    .masquerade = header->masquerade,
		    .text = header->text,
		    .length = header->length,
		    .offset = offset,
		    .content = header->content,
		});
}

/* text is what was taken. */
static void
take_event(struct header *header, enum fields_event event, const char *text,
    size_t length)
{
	switch (event) {
	case FIELDS_MORE:
		break;
	case FIELDS_NAME:
		begin_field(header);
		break;
	case FIELDS_TEXT:
		add_text(header, text, length);
		break;
	case FIELDS_CUT:
	case FIELDS_END_FIELD:
		end_field(header);
		break;
	case FIELDS_BLANK:
	case FIELDS_NOT_FIELD:
	case FIELDS_BODY:
		header->is_over = true;
		break;
	}
}

static void
take_octets(struct header *header, const char *text, const char *end)
{
	while (text < end && !header->is_over) {
		const char *before = text;
		enum fields_event event =
		    fields_next(&header->fields, &text, end);

		take_event(header, event, before, (size_t)(text - before));
	}
}

int
masquerade_content(const struct masquerade *masquerade, struct content *content)
{
	/* Positions are those of what is stored: it is read without edits. */
	struct content stored = *content;
	struct header header = { .masquerade = masquerade, .content = content };
	char buffer[READ_SIZE];
	uint64_t position = 0;
	ssize_t n = 1;

	fields_start(&header.fields);
	while (n > 0 && !header.is_over) {
		n = content_read(&stored, position, buffer, sizeof(buffer));
		if (n < 0)
			return (int)n;
		take_octets(&header, buffer, buffer + n);
		position += (uint64_t)n;
	}
	take_event(&header, fields_end(&header.fields), "", 0);
	return 0;
}
