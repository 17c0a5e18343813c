/* SPDX-License-Identifier: ISC */

/*
 * dkim.c - sign messages for the domain of their author (RFC 6376, RFC 8463).
 *
 * A first pass over the message hashes its body and notes the offsets of the
 * fields to be signed; these are read a second time, in the order of h=, for
 * each key. So memory does not grow with the message.
 *
 * A message is signed if it has one From field with one mailbox, whose domain
 * is SMTP_DKIM_DOMAIN or below it; without SMTP_DKIM_DOMAIN, any domain.
 * Existing signatures are kept and ignored.
 */

#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base64.h"
#include "lib/fields.h"
#include "lib/sign.h"
#include "smtp-deliver/content/author.h"
#include "smtp-deliver/content/canonical.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/net/idna.h"

#define READ_SIZE 65536
#define FIELDS_MAX 200 /* to be signed; a message with more is not */
#define FROM_SIZE 65536 /* of a From field; a message with more is not */
#define LINE_OCTETS 76

struct dkim {
	char domain[DNS_NAME_SIZE]; /* "": that of the author */
	size_t key_count;
	struct {
		const char *selector; /* the settings' */
		struct sign_key *key;
	} keys[SETTINGS_DKIM_KEYS_MAX];
};

/* The fields to be signed (RFC 6376 section 5.4.1). Fields that RFC 5322 allows
 * once are oversigned, so that none can be added on the way (section 8.15);
 * except Sender and List-, which mailing lists add legitimately. */
static const struct signed_name {
	const char *name;
	bool is_oversigned;
} names[] = {
	{ "From", true }, /* the first: see NAME_FROM */
	{ "Reply-To", true },
	{ "Subject", true },
	{ "Date", true },
	{ "To", true },
	{ "Cc", true },
	{ "Message-ID", true },
	{ "In-Reply-To", true },
	{ "References", true },
	{ "MIME-Version", true },
	{ "Content-Type", true },
	{ "Content-Transfer-Encoding", true },
	{ "Sender", false },
	{ "Resent-Date", false },
	{ "Resent-From", false },
	{ "Resent-To", false },
	{ "Resent-Cc", false },
	{ "Resent-Message-ID", false },
	{ "List-Id", false },
	{ "List-Help", false },
	{ "List-Unsubscribe", false },
	{ "List-Unsubscribe-Post", false },
	{ "List-Subscribe", false },
	{ "List-Post", false },
	{ "List-Owner", false },
	{ "List-Archive", false },
};

#define NAMES (sizeof(names) / sizeof(names[0]))
#define NAME_FROM 0

/* A field that is signed, from its name up to the CRLF at its end. */
struct signed_field {
	size_t name;
	uint64_t offset; /* within the message */
	uint64_t length;
};

/* The first pass. */
struct first_pass {
	struct fields header;
	bool is_in_body;
	struct signed_field *open; /* the field whose end has not been seen */
	size_t field_count;
	struct signed_field fields[FIELDS_MAX];
	size_t from_count;
	/* Nothing is signed: there are too many fields, or a line that is no
	 * field, or one that does not end in CRLF. */
	bool is_odd;
	struct canonical body;
};

/* ---- keys ---------------------------------------------------------------- */

static int
load_key(const char *path, struct sign_key **ret_key,
    char ret_error[DKIM_ERROR_SIZE])
{
	char reason[SIGN_ERROR_SIZE];

	if (sign_key_load(path, ret_key, reason) == 0)
		return 0;
	(void)snprintf(ret_error, DKIM_ERROR_SIZE,
	    "SMTP_DKIM_KEY_PATH has \"%s\"; expected a private key: %s", path,
	    reason);
	return -ENOKEY;
}

int
dkim_open(const struct deliver_settings *settings, struct dkim **ret_dkim,
    char ret_error[DKIM_ERROR_SIZE])
{
	struct dkim *dkim;
	int r;

	*ret_dkim = NULL;
	if (settings->dkim_count == 0)
		return 0;
	if ((dkim = calloc(1, sizeof(*dkim))) == NULL) {
		(void)strlcpy(ret_error, "SMTP_DKIM_KEY_PATH: no memory",
		    DKIM_ERROR_SIZE);
		return -ENOKEY;
	}
	if (settings->dkim_domain != NULL)
		(void)strlcpy(dkim->domain, settings->dkim_domain,
		    sizeof(dkim->domain));
	for (size_t i = 0; i < settings->dkim_count; i++) {
		dkim->keys[i].selector = settings->dkim[i].selector;
		r = load_key(settings->dkim[i].key_path, &dkim->keys[i].key,
		    ret_error);
		if (r < 0) {
			dkim_close(dkim);
			return r;
		}
		dkim->key_count++;
	}
	*ret_dkim = dkim;
	return 0;
}

void
dkim_close(struct dkim *dkim)
{
	if (dkim == NULL)
		return;
	for (size_t i = 0; i < dkim->key_count; i++)
		sign_key_free(dkim->keys[i].key);
	free(dkim);
}

/* ---- the first pass ------------------------------------------------------ */

static void
note_field(struct first_pass *pass, size_t name)
{
	pass->from_count += name == NAME_FROM;
	if (pass->field_count == FIELDS_MAX) {
		pass->is_odd = true;
		return;
	}
	pass->open = &pass->fields[pass->field_count++];
	pass->open->name = name;
	pass->open->offset = pass->header.begin;
}

static void
begin_field(struct first_pass *pass)
{
	for (size_t i = 0; i < NAMES; i++)
		if (fields_has_name(&pass->header, names[i].name))
			note_field(pass, i);
}

static void
end_field(struct first_pass *pass)
{
	if (pass->open != NULL)
		pass->open->length = pass->header.offset - pass->open->offset;
	pass->open = NULL;
}

static void
take_event(struct first_pass *pass, enum fields_event event)
{
	switch (event) {
	case FIELDS_NAME:
		begin_field(pass);
		break;
	case FIELDS_END_FIELD:
		end_field(pass);
		break;
	case FIELDS_NOT_FIELD:
	case FIELDS_CUT:
		pass->is_odd = pass->is_in_body = true;
		break;
	case FIELDS_BLANK:
		pass->is_in_body = true;
		break;
	default:
		break;
	}
}

/* Take octets of the message. */
static void
take_message(void *context, const char *text, size_t length)
{
	struct first_pass *pass = context;
	const char *end = text + length;

	while (text < end && !pass->is_in_body)
		take_event(pass, fields_next(&pass->header, &text, end));
	canonical_add_body(&pass->body, text, (size_t)(end - text));
}

/* Hand a part of the message to take(), block by block. */
static int
read_part(const struct content *content, uint64_t offset, uint64_t size_bytes,
    void (*take)(void *context, const char *text, size_t length), void *context)
{
	char buffer[READ_SIZE];

	while (size_bytes > 0) {
		size_t wanted = size_bytes < sizeof(buffer) ? (size_t)size_bytes
							    : sizeof(buffer);
		ssize_t n = content_read(content, offset, buffer, wanted);

		if (n <= 0)
			return n == 0 ? -EIO : (int)n;
		take(context, buffer, (size_t)n);
		offset += (uint64_t)n;
		size_bytes -= (uint64_t)n;
	}
	return 0;
}

static void
add_to_hash(void *context, const void *data, size_t size)
{
	sign_hash_add(context, data, size);
}

static int
read_message(struct first_pass *pass, const struct content *content,
    uint8_t ret_body_hash[SIGN_HASH_SIZE])
{
	struct sign_hash *hash;
	int r;

	if ((r = sign_hash_open(&hash)) < 0)
		return r;
	fields_start(&pass->header);
	pass->is_in_body = pass->is_odd = false;
	pass->open = NULL;
	pass->field_count = pass->from_count = 0;
	canonical_start(&pass->body, add_to_hash, hash);
	r = read_part(content, 0, content_size_bytes(content), take_message,
	    pass);
	take_event(pass, fields_end(&pass->header));
	pass->is_odd |= pass->header.has_bare_lf;
	canonical_end_body(&pass->body);
	sign_hash_close(hash, ret_body_hash);
	return r;
}

/* ---- the second pass ----------------------------------------------------- */

static void
take_field(void *context, const char *text, size_t length)
{
	canonical_add_field(context, text, length);
}

static int
read_field(const struct content *content, const struct signed_field *field,
    canonical_write *write, void *context)
{
	struct canonical canonical;
	int r;

	canonical_start(&canonical, write, context);
	r = read_part(content, field->offset, field->length, take_field,
	    &canonical);
	canonical_end_field(&canonical);
	return r;
}

/* Text that stops growing when there is no more room. */
struct output {
	char *data;
	size_t size;
	size_t used; /* without the NUL */
	size_t column;
	bool is_full;
};

static void
add_to_text(void *context, const void *data, size_t size)
{
	struct output *text = context;

	if (size >= text->size - text->used) {
		text->is_full = true;
		return;
	}
	memcpy(text->data + text->used, data, size);
	text->used += size;
	text->data[text->used] = '\0';
}

/* Find the domain to sign for; "" if the message is not signed. */
static int
find_signer(const struct dkim *dkim, const struct content *content,
    const struct first_pass *pass, char ret_domain[DNS_NAME_SIZE])
{
	static char from[FROM_SIZE];
	char author[ADDRESS_DOMAIN_MAX + 1];
	char ascii[DNS_NAME_SIZE];
	struct output text = { .data = from, .size = sizeof(from) };
	const struct signed_field *field = pass->fields;
	size_t above, own = strlen(dkim->domain);
	int r;

	*from = *ret_domain = '\0';
	if (pass->is_odd || pass->from_count != 1)
		return 0;
	while (field->name != NAME_FROM)
		field++;
	if ((r = read_field(content, field, add_to_text, &text)) < 0)
		return r;
	if (text.is_full || strlen(from) != text.used ||
	    author_find_domain(strchr(from, ':') + 1, author) < 0 ||
	    idna_to_ascii(author, ascii) < 0)
		return 0;
	above = strlen(ascii) - own;
	if (own == 0)
		(void)strlcpy(ret_domain, ascii, DNS_NAME_SIZE);
	else if (strlen(ascii) >= own &&
	    strcasecmp(ascii + above, dkim->domain) == 0 &&
	    (above == 0 || ascii[above - 1] == '.'))
		(void)strlcpy(ret_domain, dkim->domain, DNS_NAME_SIZE);
	return 0;
}

/* ---- the signature ------------------------------------------------------- */

static void
add_string(struct output *text, const char *string)
{
	size_t length = strlen(string);

	add_to_text(text, string, length);
	text->column += length;
}

static void
fold(struct output *text)
{
	add_string(text, "\r\n\t");
	text->column = 8;
}

/* Add a tag, which is not broken: after a space, or on a line of its own. */
__attribute__((format(printf, 2, 3))) static void
add_tag(struct output *text, const char *format, ...)
{
	char tag[2 * SETTINGS_DKIM_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(tag, sizeof(tag), format, args);
	va_end(args);
	if (text->column + 1 + strlen(tag) > LINE_OCTETS)
		fold(text);
	else
		add_string(text, " ");
	add_string(text, tag);
}

/* Add octets in base64 (RFC 4648 section 4), over as many lines as it takes. */
static void
add_base64(struct output *text, const uint8_t *data, size_t size)
{
	char group[BASE64_SIZE(3)];

	for (size_t i = 0; i < size; i += 3) {
		base64_encode(data + i, size - i < 3 ? size - i : 3, group);
		if (text->column + 4 > LINE_OCTETS)
			fold(text);
		add_string(text, group);
	}
}

static void
add_signed_name(struct output *text, const char *name, bool is_first)
{
	if (!is_first)
		add_string(text, ":");
	if (text->column + strlen(name) + 1 > LINE_OCTETS)
		fold(text);
	add_string(text, name);
}

/* Add h=, and hash the fields that it names: those of one name from the last to
 * the first, as verifiers do (section 5.4.2). */
static int
add_signed_fields(struct output *text, const struct content *content,
    const struct first_pass *pass, struct sign_hash *hash)
{
	bool is_first = true;
	int r;

	add_tag(text, "h=");
	for (size_t name = 0; name < NAMES; name++) {
		for (size_t i = pass->field_count; i-- > 0;) {
			if (pass->fields[i].name != name)
				continue;
			add_signed_name(text, names[name].name, is_first);
			is_first = false;
			r = read_field(content, &pass->fields[i], add_to_hash,
			    hash);
			if (r < 0)
				return r;
			sign_hash_add(hash, "\r\n", 2);
		}
		if (names[name].is_oversigned)
			add_signed_name(text, names[name].name, false);
	}
	add_string(text, ";");
	return 0;
}

/* Add the field up to "b=" to the text, and its canonical form to the hash. */
static int
add_unsigned(struct output *text, const char *domain, const char *selector,
    const char *algorithm, int64_t now_sec, const struct content *content,
    const struct first_pass *pass, const uint8_t body_hash[SIGN_HASH_SIZE],
    struct sign_hash *hash)
{
	struct canonical canonical;
	size_t start = text->used;
	int r;

	text->column = 0;
	add_string(text, "DKIM-Signature:");
	add_tag(text, "v=1;");
	add_tag(text, "a=%s;", algorithm);
	add_tag(text, "c=relaxed/relaxed;");
	add_tag(text, "d=%s;", domain);
	add_tag(text, "s=%s;", selector);
	add_tag(text, "t=%jd;", (intmax_t)now_sec);
	if ((r = add_signed_fields(text, content, pass, hash)) < 0)
		return r;
	add_tag(text, "bh=");
	add_base64(text, body_hash, SIGN_HASH_SIZE);
	add_string(text, ";");
	add_tag(text, "b=");

	canonical_start(&canonical, add_to_hash, hash);
	canonical_add_field(&canonical, text->data + start, text->used - start);
	canonical_end_field(&canonical);
	return 0;
}

static int
add_signature(struct output *text, const char *domain, const char *selector,
    const struct sign_key *key, int64_t now_sec, const struct content *content,
    const struct first_pass *pass, const uint8_t body_hash[SIGN_HASH_SIZE])
{
	uint8_t digest[SIGN_HASH_SIZE], signature[SIGN_SIZE_MAX];
	struct sign_hash *hash;
	size_t length;
	int r;

	if ((r = sign_hash_open(&hash)) < 0)
		return r;
	r = add_unsigned(text, domain, selector, sign_key_algorithm(key),
	    now_sec, content, pass, body_hash, hash);
	sign_hash_close(hash, digest);
	if (r < 0 || (r = sign_make(key, digest, signature, &length)) < 0)
		return r;
	add_base64(text, signature, length);
	add_string(text, "\r\n");
	return 0;
}

int
dkim_sign(const struct dkim *dkim, const struct content *content,
    int64_t now_sec, char ret_fields[DKIM_FIELDS_SIZE])
{
	struct output text = { .data = ret_fields, .size = DKIM_FIELDS_SIZE };
	uint8_t body_hash[SIGN_HASH_SIZE];
	char domain[DNS_NAME_SIZE];
	struct first_pass pass;
	int r;

	*ret_fields = '\0';
	if (dkim == NULL)
		return 0;
	if ((r = read_message(&pass, content, body_hash)) < 0 ||
	    (r = find_signer(dkim, content, &pass, domain)) < 0 ||
	    *domain == '\0')
		return r;
	for (size_t i = 0; i < dkim->key_count && r == 0; i++)
		r = add_signature(&text, domain, dkim->keys[i].selector,
		    dkim->keys[i].key, now_sec, content, &pass, body_hash);
	if (r < 0 || text.is_full)
		*ret_fields = '\0';
	return r;
}
