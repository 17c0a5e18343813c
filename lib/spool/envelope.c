/* SPDX-License-Identifier: ISC */

/*
 * envelope.c - the block of header lines before a stored message.
 *
 *	Return-Path: <sender@example.com>
 *	Envelope-To: <one@example.org>
 *	X-Smtpserver-Notify: SUCCESS,FAILURE
 *	X-Smtpserver-Orcpt: rfc822;first@example.org
 *	Envelope-To: <two@example.org>
 *	X-Smtpserver-Id: 019aad1f6b2e5d0c7f3a9be1
 *	X-Smtpserver-Options: 8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS
 *	X-Smtpserver-Envid: QQ314159
 *	X-Smtpserver-Content: size=000000001234 xxh3=0123456789abcdef
 *
 * Lines end in CRLF, as in the message. Notify and Orcpt belong to the
 * recipient above them (RFC 3461); they, Options and Envid are optional. The
 * last line has a fixed width: it is filled in when the rest is known. Its
 * checksum covers the other lines, so parsing checks no more than their form.
 *
 * A program that does not know a line or an option cannot do what it asks for,
 * and takes the block for damaged. What may be left undone is a note. Notes
 * follow the seal, which counts them as part of the message:
 *
 *	X-Smtpserver-Submitter: uid=33 unit=apache2.service
 *
 * The message itself never begins with such a line. It begins with our Received
 * field, or as a notice does.
 */

#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/spool/envelope.h"

#define SENDER_FIELD "Return-Path: "
#define RECIPIENT_FIELD "Envelope-To: "
#define ID_FIELD "X-Smtpserver-Id: "
#define OPTIONS_FIELD "X-Smtpserver-Options:"
#define NOTIFY_FIELD "X-Smtpserver-Notify: "
#define ORCPT_FIELD "X-Smtpserver-Orcpt: "
#define ENVID_FIELD "X-Smtpserver-Envid: "
#define SEAL_FIELD "X-Smtpserver-Content: "
#define NOTE_FIELD "X-Smtpserver-" /* of any note */
#define SUBMITTER_FIELD "X-Smtpserver-Submitter: "

#define LINE_SIZE 640

void
envelope_clear(struct envelope *envelope)
{
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		free(envelope->recipients[i]);
		free(envelope->requests[i].orcpt);
	}
	free(envelope->recipients);
	free(envelope->requests);
	free(envelope->envid);
	free(envelope->sender);
	*envelope = (struct envelope){ .sender = NULL };
}

int
envelope_set_sender(struct envelope *envelope, const char *address)
{
	char *copy = strdup(address);

	if (copy == NULL)
		return -ENOMEM;
	free(envelope->sender);
	envelope->sender = copy;
	return 0;
}

/* Make room for one more recipient: the arrays grow by doubling. */
static int
make_room(struct envelope *envelope)
{
	size_t count = envelope->recipient_count;
	size_t size = count > 0 ? 2 * count : 1;
	struct dsn_request *requests;
	char **recipients;

	if (count > 0 && (count & (count - 1)) != 0)
		return 0;
	recipients =
	    reallocarray(envelope->recipients, size, sizeof(*recipients));
	if (recipients == NULL)
		return -ENOMEM;
	envelope->recipients = recipients;
	requests = reallocarray(envelope->requests, size, sizeof(*requests));
	if (requests == NULL)
		return -ENOMEM;
	envelope->requests = requests;
	return 0;
}

bool
envelope_has_recipient(const struct envelope *envelope, const char *address)
{
	for (size_t i = 0; i < envelope->recipient_count; i++)
		if (strcmp(envelope->recipients[i], address) == 0)
			return true;
	return false;
}

int
envelope_add_recipient(struct envelope *envelope, const char *address)
{
	char **room;
	int r;

	if (envelope_has_recipient(envelope, address))
		return 0;
	if (envelope->recipient_count == ENVELOPE_RECIPIENTS_MAX)
		return -E2BIG;
	if ((r = make_room(envelope)) < 0)
		return r;
	room = &envelope->recipients[envelope->recipient_count];
	if ((*room = strdup(address)) == NULL)
		return -ENOMEM;
	envelope->requests[envelope->recipient_count++] =
	    (struct dsn_request){ .orcpt = NULL };
	return 0;
}

/* Keep a copy of a text, unless one is kept already. */
static int
keep_text(const char *text, char **slot)
{
	if (text == NULL || *slot != NULL)
		return 0;
	*slot = strdup(text);
	return *slot != NULL ? 0 : -ENOMEM;
}

static int
set_request(struct envelope *envelope, const char *address, unsigned notify,
    const char *orcpt)
{
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		struct dsn_request *request = &envelope->requests[i];

		if (strcmp(envelope->recipients[i], address) != 0)
			continue;
		if (request->notify == 0)
			request->notify = notify;
		return keep_text(orcpt, &request->orcpt);
	}
	return 0;
}

int
envelope_add_request(struct envelope *envelope, const char *address,
    unsigned notify, const char *orcpt)
{
	size_t before = envelope->recipient_count;
	int r;

	if ((r = envelope_add_recipient(envelope, address)) == 0)
		r = set_request(envelope, address, notify, orcpt);
	if (r < 0 && envelope->recipient_count > before)
		free(envelope->recipients[--envelope->recipient_count]);
	return r;
}

int
envelope_set_envid(struct envelope *envelope, const char *envid)
{
	return keep_text(envid, &envelope->envid);
}

/* The most that the block's fields take, with a NUL. */
static size_t
block_size(const struct envelope *envelope)
{
	size_t size =
	    sizeof(SENDER_FIELD "<>\r\n" ID_FIELD "\r\n" OPTIONS_FIELD
				" 8BITMIME SMTPUTF8 REQUIRETLS RET=FULL"
				"\r\n" ENVID_FIELD "\r\n") +
	    strlen(envelope->sender) + strlen(envelope->id) +
	    (envelope->envid != NULL ? strlen(envelope->envid) : 0);

	for (size_t i = 0; i < envelope->recipient_count; i++) {
		const char *orcpt = envelope->requests[i].orcpt;

		size += sizeof(RECIPIENT_FIELD "<>\r\n" NOTIFY_FIELD
					       "\r\n" ORCPT_FIELD "\r\n") +
		    DSN_NOTIFY_SIZE + strlen(envelope->recipients[i]) +
		    (orcpt != NULL ? strlen(orcpt) : 0);
	}
	return size;
}

/* Append three texts; return the new end. */
static char *
put(char *end, const char *first, const char *second, const char *third)
{
	return stpcpy(stpcpy(stpcpy(end, first), second), third);
}

static char *
put_recipient(char *end, const char *address, const struct dsn_request *request)
{
	char notify[DSN_NOTIFY_SIZE];

	end = put(end, RECIPIENT_FIELD "<", address, ">\r\n");
	if (request->notify != 0)
		end = put(end, NOTIFY_FIELD,
		    dsn_format_notify(request->notify, notify), "\r\n");
	if (request->orcpt != NULL)
		end = put(end, ORCPT_FIELD, request->orcpt, "\r\n");
	return end;
}

static char *
put_options(char *end, const struct envelope *envelope)
{
	bool has_return = envelope->dsn_return != DSN_RETURN_UNSAID;

	if (envelope->is_8bitmime || envelope->is_smtputf8 ||
	    envelope->is_requiretls || has_return) {
		end = put(end, OPTIONS_FIELD,
		    envelope->is_8bitmime ? " 8BITMIME" : "",
		    envelope->is_smtputf8 ? " SMTPUTF8" : "");
		end = put(end, envelope->is_requiretls ? " REQUIRETLS" : "",
		    has_return ? " RET=" : "",
		    has_return ? dsn_return_name(envelope->dsn_return) : "");
		end = stpcpy(end, "\r\n");
	}
	if (envelope->envid != NULL)
		end = put(end, ENVID_FIELD, envelope->envid, "\r\n");
	return end;
}

int
envelope_render(const struct envelope *envelope, char **ret_text,
    size_t *ret_length)
{
	char *text = malloc(block_size(envelope)), *end;

	if (text == NULL)
		return -ENOMEM;
	end = put(text, SENDER_FIELD "<", envelope->sender, ">\r\n");
	for (size_t i = 0; i < envelope->recipient_count; i++)
		end = put_recipient(end, envelope->recipients[i],
		    &envelope->requests[i]);
	end = put(end, ID_FIELD, envelope->id, "\r\n");
	end = put_options(end, envelope);
	*ret_text = text;
	*ret_length = (size_t)(end - text);
	return 0;
}

void
envelope_render_seal(const struct envelope_seal *seal,
    char ret_text[ENVELOPE_SEAL_SIZE + 1])
{
	(void)snprintf(ret_text, ENVELOPE_SEAL_SIZE + 1,
	    SEAL_FIELD "size=%012" PRIu64 " xxh3=%016" PRIx64 "\r\n",
	    seal->size_bytes, seal->checksum);
}

/* The value of a field, or NULL if the line is another field. */
static const char *
field_value(const char *line, const char *field)
{
	size_t length = strlen(field);

	return strncmp(line, field, length) == 0 ? line + length : NULL;
}

/* The address within "<...>". */
static int
parse_path(const char *value, bool is_sender, struct address *ret_address)
{
	size_t used;
	int r;

	r = address_parse_path(value,
	    ADDRESS_UTF8 | (is_sender ? ADDRESS_NULL : 0), ret_address, &used);
	return r == 0 && value[used] == '\0' ? 0 : -EBADMSG;
}

static int
parse_options(const char *value, struct envelope *envelope)
{
	char copy[LINE_SIZE], *rest = copy, *word;

	(void)strlcpy(copy, value, sizeof(copy));
	while ((word = strsep(&rest, " ")) != NULL) {
		if (strcmp(word, "8BITMIME") == 0)
			envelope->is_8bitmime = true;
		else if (strcmp(word, "SMTPUTF8") == 0)
			envelope->is_smtputf8 = true;
		else if (strcmp(word, "REQUIRETLS") == 0)
			envelope->is_requiretls = true;
		else if (strncmp(word, "RET=", 4) == 0) {
			if (dsn_parse_return(word + 4, &envelope->dsn_return) <
			    0)
				return -EBADMSG;
		} else if (*word != '\0')
			return -EBADMSG;
	}
	return 0;
}

/* NOTIFY of the last recipient so far. */
static int
parse_notify(const char *value, struct envelope *envelope)
{
	size_t count = envelope->recipient_count;

	if (count == 0)
		return -EBADMSG;
	return dsn_parse_notify(value, &envelope->requests[count - 1].notify);
}

static int
parse_orcpt(const char *value, struct envelope *envelope)
{
	size_t count = envelope->recipient_count;

	if (count == 0 || !is_dsn_orcpt(value, true))
		return -EBADMSG;
	return keep_text(value, &envelope->requests[count - 1].orcpt);
}

static int
parse_envid(const char *value, struct envelope *envelope)
{
	return is_dsn_envid(value) ? keep_text(value, &envelope->envid)
				   : -EBADMSG;
}

static int
parse_seal(const char *line, struct envelope_seal *ret_seal)
{
	char again[ENVELOPE_SEAL_SIZE + 1];

	/* NOLINTNEXTLINE(cert-err34-c): compared with its rendering below */
	if (sscanf(line, SEAL_FIELD "size=%12" SCNu64 " xxh3=%16" SCNx64,
		&ret_seal->size_bytes, &ret_seal->checksum) != 2)
		return -EBADMSG;
	envelope_render_seal(ret_seal, again);
	again[ENVELOPE_SEAL_SIZE - 2] = '\0';
	return strcmp(line, again) == 0 ? 0 : -EBADMSG;
}

/* Parse a line. Return 1 after the seal, 0 if there is more, or an error. */
static int
parse_line(const char *line, struct envelope *envelope,
    struct envelope_seal *ret_seal)
{
	struct address address;
	const char *value;
	int r = -EBADMSG;

	if ((value = field_value(line, SENDER_FIELD)) != NULL) {
		if ((r = parse_path(value, true, &address)) == 0)
			r = envelope_set_sender(envelope, address.text);
	} else if ((value = field_value(line, RECIPIENT_FIELD)) != NULL) {
		if ((r = parse_path(value, false, &address)) == 0)
			r = envelope_add_recipient(envelope, address.text);
	} else if ((value = field_value(line, ID_FIELD)) != NULL) {
		if (is_id(value)) {
			memcpy(envelope->id, value, ID_SIZE);
			r = 0;
		}
	} else if ((value = field_value(line, OPTIONS_FIELD)) != NULL)
		r = parse_options(value, envelope);
	else if ((value = field_value(line, NOTIFY_FIELD)) != NULL)
		r = parse_notify(value, envelope);
	else if ((value = field_value(line, ORCPT_FIELD)) != NULL)
		r = parse_orcpt(value, envelope);
	else if ((value = field_value(line, ENVID_FIELD)) != NULL)
		r = parse_envid(value, envelope);
	else if (field_value(line, SEAL_FIELD) != NULL)
		r = parse_seal(line, ret_seal) == 0 ? 1 : -EBADMSG;
	return r;
}

/* Copy the first line without its CRLF; return its length with it. */
static ssize_t
get_line(const char *text, size_t length, char ret_line[LINE_SIZE])
{
	const char *end = memchr(text, '\n', length);
	size_t n;

	if (end == NULL)
		return -EBADMSG;
	n = (size_t)(end + 1 - text);
	if (n < 2 || n > LINE_SIZE || text[n - 2] != '\r' ||
	    memchr(text, '\0', n) != NULL)
		return -EBADMSG;
	memcpy(ret_line, text, n - 2);
	ret_line[n - 2] = '\0';
	return (ssize_t)n;
}

static bool
is_complete(const struct envelope *envelope)
{
	return envelope->sender != NULL && envelope->recipient_count > 0 &&
	    envelope->id[0] != '\0';
}

int
envelope_parse(const char *text, size_t length, struct envelope *ret_envelope,
    struct envelope_seal *ret_seal, size_t *ret_length)
{
	char line[LINE_SIZE];
	size_t used = 0;
	int r = 0;

	*ret_envelope = (struct envelope){ .sender = NULL };
	*ret_seal = (struct envelope_seal){ .size_bytes = 0 };
	while (r == 0) {
		ssize_t n = get_line(text + used, length - used, line);

		if (n < 0) {
			r = (int)n;
			break;
		}
		used += (size_t)n;
		r = parse_line(line, ret_envelope, ret_seal);
	}
	if (r == 1 && !is_complete(ret_envelope))
		r = -EBADMSG;
	if (r < 0) {
		envelope_clear(ret_envelope);
		return r == -ENOMEM ? r : -EBADMSG;
	}
	*ret_length = used;
	return 0;
}

size_t
envelope_render_notes(const struct envelope *envelope,
    char ret_text[ENVELOPE_NOTES_SIZE])
{
	char submitter[SUBMITTER_TEXT_SIZE];

	*ret_text = '\0';
	if (!envelope->submitter.is_known)
		return 0;
	submitter_format(&envelope->submitter, submitter);
	return (size_t)(put(ret_text, SUBMITTER_FIELD, submitter, "\r\n") -
	    ret_text);
}

size_t
envelope_parse_notes(const char *text, size_t length, struct envelope *envelope)
{
	char line[LINE_SIZE];
	const char *value;
	size_t used = 0;
	ssize_t n;

	while ((n = get_line(text + used, length - used, line)) > 0 &&
	    field_value(line, NOTE_FIELD) != NULL) {
		value = field_value(line, SUBMITTER_FIELD);
		if (value != NULL &&
		    submitter_parse(value, &envelope->submitter) < 0)
			envelope->submitter =
			    (struct submitter){ .is_known = false };
		used += (size_t)n;
	}
	return used;
}
