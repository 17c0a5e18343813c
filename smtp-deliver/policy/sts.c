/* SPDX-License-Identifier: ISC */

/*
 * sts.c - parse MTA-STS records and policies (RFC 8461 sections 3.1, 3.2 and
 * 4.1).
 *
 * Pure. A malformed policy is no policy; unknown fields are ignored, and the
 * first of a field that occurs twice counts.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp-deliver/policy/sts.h"

#define STS_VERSION "STSv1"
#define AGE_DIGITS_MAX 10

/* A piece of text, not ended by NUL. */
struct piece {
	const char *text;
	size_t length;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct piece
trim(struct piece piece)
{
	while (piece.length > 0 && is_blank(piece.text[0])) {
		piece.text++;
		piece.length--;
	}
	while (piece.length > 0 && is_blank(piece.text[piece.length - 1]))
		piece.length--;
	return piece;
}

/* Take the text before the first delimiter, or all of it, off the front. */
static struct piece
take_until(struct piece *rest, char delimiter)
{
	struct piece taken = *rest;
	const char *end = memchr(rest->text, delimiter, rest->length);

	if (end != NULL)
		taken.length = (size_t)(end - rest->text);
	rest->text += taken.length;
	rest->length -= taken.length;
	if (end != NULL) {
		rest->text++;
		rest->length--;
	}
	return taken;
}

static bool
is_text(struct piece piece, const char *text)
{
	return piece.length == strlen(text) &&
	    memcmp(piece.text, text, piece.length) == 0;
}

static int
take_id(struct piece value, char ret_id[STS_ID_SIZE])
{
	if (value.length == 0 || value.length >= STS_ID_SIZE)
		return -EBADMSG;
	for (size_t i = 0; i < value.length; i++)
		if (!isalnum((unsigned char)value.text[i]))
			return -EBADMSG;
	memcpy(ret_id, value.text, value.length);
	ret_id[value.length] = '\0';
	return 0;
}

int
sts_parse_record(const char *text, char ret_id[STS_ID_SIZE])
{
	struct piece rest = { text, strlen(text) }, value;

	if (!is_text(trim(take_until(&rest, ';')), "v=" STS_VERSION))
		return -EBADMSG;
	while (rest.length > 0) {
		value = trim(take_until(&rest, ';'));
		if (is_text(trim(take_until(&value, '=')), "id"))
			return take_id(trim(value), ret_id);
	}
	return -EBADMSG;
}

static int
take_mode(struct piece value, enum sts_mode *ret_mode)
{
	if (is_text(value, "enforce"))
		*ret_mode = STS_ENFORCE;
	else if (is_text(value, "testing"))
		*ret_mode = STS_TESTING;
	else if (is_text(value, "none"))
		*ret_mode = STS_NONE;
	else
		return -EBADMSG;
	return 0;
}

static int
take_age(struct piece value, int64_t *ret_age_sec)
{
	int64_t age_sec = 0;

	if (value.length == 0 || value.length > AGE_DIGITS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < value.length; i++) {
		if (!isdigit((unsigned char)value.text[i]))
			return -EBADMSG;
		age_sec = age_sec * 10 + (value.text[i] - '0');
	}
	*ret_age_sec = age_sec < STS_AGE_MAX_SEC ? age_sec : STS_AGE_MAX_SEC;
	return 0;
}

/* A name of letters, digits, hyphens, with dots between. */
static bool
is_name(struct piece name)
{
	char before = '.';

	for (size_t i = 0; i < name.length; i++) {
		char c = name.text[i];

		if (c == '.'
			? before == '.'
			: !isalnum((unsigned char)c) && c != '-' && c != '_')
			return false;
		before = c;
	}
	return before != '.';
}

/* An invalid pattern names no host, and neither does one that there is no room
 * for. The others hold; a policy without any is malformed. */
static void
take_mx(struct piece value, struct sts_policy *policy)
{
	struct piece name = value;

	if (name.length > 2 && memcmp(name.text, "*.", 2) == 0) {
		name.text += 2;
		name.length -= 2;
	}
	if (value.length >= DNS_NAME_SIZE || !is_name(name) ||
	    policy->mx_count == STS_MX_MAX)
		return;
	memcpy(policy->mx[policy->mx_count], value.text, value.length);
	policy->mx[policy->mx_count][value.length] = '\0';
	policy->mx_count++;
}

/* The fields of a policy that have been seen. */
struct seen {
	bool version, mode, max_age;
};

static int
take_field(struct piece key, struct piece value, struct sts_policy *policy,
    struct seen *seen)
{
	int r = 0;

	if (is_text(key, "version") && !seen->version) {
		seen->version = true;
		r = is_text(value, STS_VERSION) ? 0 : -EBADMSG;
	} else if (is_text(key, "mode") && !seen->mode) {
		seen->mode = true;
		r = take_mode(value, &policy->mode);
	} else if (is_text(key, "max_age") && !seen->max_age) {
		seen->max_age = true;
		r = take_age(value, &policy->max_age_sec);
	} else if (is_text(key, "mx"))
		take_mx(value, policy);
	return r;
}

int
sts_parse_policy(const char *text, size_t length, struct sts_policy *ret_policy)
{
	struct piece rest = { text, length }, line, key;
	struct seen seen = { .version = false };

	*ret_policy = (struct sts_policy){ .mode = STS_NONE };
	if (memchr(text, '\0', length) != NULL)
		return -EBADMSG;
	while (rest.length > 0) {
		line = take_until(&rest, '\n');
		if (line.length > 0 && line.text[line.length - 1] == '\r')
			line.length--;
		if (trim(line).length == 0)
			continue;
		if (memchr(line.text, ':', line.length) == NULL)
			return -EBADMSG;
		key = take_until(&line, ':');
		if (take_field(key, trim(line), ret_policy, &seen) < 0)
			return -EBADMSG;
	}
	if (!seen.version || !seen.mode || !seen.max_age ||
	    (ret_policy->mx_count == 0 && ret_policy->mode != STS_NONE))
		return -EBADMSG;
	return 0;
}

static bool
is_host(const char *pattern, const char *host)
{
	const char *dot;

	if (strncmp(pattern, "*.", 2) != 0)
		return strcasecmp(pattern, host) == 0;
	dot = strchr(host, '.');
	return dot != NULL && dot != host && strcasecmp(pattern + 1, dot) == 0;
}

bool
sts_has_host(const struct sts_policy *policy, const char *host)
{
	for (size_t i = 0; i < policy->mx_count; i++)
		if (is_host(policy->mx[i], host))
			return true;
	return false;
}
