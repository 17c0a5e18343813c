/* SPDX-License-Identifier: ISC */

/*
 * redact.c - keep addresses out of what the journal is told (promise P6).
 *
 * Remote hosts quote addresses in their replies as they like: in other case,
 * without the domain or the extension, over two lines. A word too many that is
 * hidden costs less than an address that is not.
 */

#include "config.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "lib/address.h"
#include "lib/audit.h"
#include "smtp-deliver/redact.h"

#define ANYBODY "(address)"

/* What an address without quotes is made of (RFC 5321 section 4.1.2), and the
 * "%40" that stands for "@" in a URI (RFC 3986). */
#define ADDRESS_SIGNS "@.!#$%&'*+/=?^_`{|}~-[:]"

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static const char *
shown_as(const struct redact *redact, const char *address,
    char ret_token[TOKEN_SIZE])
{
	if (redact->spool == NULL ||
	    spool_token(redact->spool, address, ret_token) < 0)
		return ANYBODY;
	return ret_token;
}

/* Replace length octets of a text at "at". Returns what follows them. */
static char *
replace(char text[REDACT_SIZE], char *at, size_t length, const char *shown)
{
	char rest[REDACT_SIZE];
	size_t used = (size_t)(at - text);

	(void)strlcpy(rest, at + length, sizeof(rest));
	used += strlcpy(at, shown, REDACT_SIZE - used);
	if (used >= REDACT_SIZE)
		return text + REDACT_SIZE - 1;
	(void)strlcpy(text + used, rest, REDACT_SIZE - used);
	return text + used;
}

/* Replace a name where it stands as a word, or as several. */
static void
hide_name(char text[REDACT_SIZE], const char *name, const char *shown)
{
	size_t length = strlen(name);
	char *at = text;

	while (length > 0 && (at = strcasestr(at, name)) != NULL)
		if ((at > text && is_word(at[-1]) && is_word(*name)) ||
		    (is_word(at[length]) && is_word(name[length - 1])))
			at++;
		else
			at = replace(text, at, length, shown);
}

/* ---- addresses of anybody ------------------------------------------------ */

static size_t
word_length(const char *text)
{
	size_t length = 0;

	while (is_word(text[length]) ||
	    (text[length] != '\0' &&
		strchr(ADDRESS_SIGNS, text[length]) != NULL))
		length++;
	return length;
}

static bool
has_at_sign(const char *word)
{
	return strchr(word, '@') != NULL || strstr(word, "%40") != NULL;
}

static void
hide_others(const struct redact *redact, char text[REDACT_SIZE])
{
	char word[REDACT_SIZE], token[TOKEN_SIZE];
	char *at = text;

	while (*at != '\0') {
		size_t length = word_length(at);

		(void)strlcpy(word, at, length + 1);
		if (length == 0)
			at++;
		else if (has_at_sign(word))
			at = replace(text, at, length,
			    shown_as(redact, word, token));
		else
			at += length;
	}
}

/* ---- the sender and the recipient ---------------------------------------- */

/* Hide what stands for an address without its domain: its local part, with and
 * without quotes, and without an extension ("you+list"). */
static void
hide_local_part(char text[REDACT_SIZE], const char *address, const char *shown)
{
	char local[ADDRESS_SIZE], *at;

	(void)strlcpy(local, address, sizeof(local));
	if ((at = strrchr(local, '@')) != NULL)
		*at = '\0';
	hide_name(text, local, shown);
	if (*local == '"' && strlen(local) >= 2) {
		local[strlen(local) - 1] = '\0';
		hide_name(text, local + 1, shown);
	}
	local[strcspn(local, "+")] = '\0';
	hide_name(text, local, shown);
}

static void
hide(const struct redact *redact, char text[REDACT_SIZE])
{
	const char *addresses[] = { redact->recipient, redact->sender };
	char tokens[2][TOKEN_SIZE];
	const char *shown[2];

	for (size_t i = 0; i < 2; i++) {
		shown[i] = shown_as(redact, addresses[i], tokens[i]);
		hide_name(text, addresses[i], shown[i]);
	}
	hide_others(redact, text);
	for (size_t i = 0; i < 2; i++)
		hide_local_part(text, addresses[i], shown[i]);
}

const char *
redact_text(const struct redact *redact, const char *text,
    char ret_text[REDACT_SIZE])
{
	if (text == NULL || audit_shows_addresses())
		return text;
	(void)strlcpy(ret_text, text, REDACT_SIZE);
	hide(redact, ret_text);
	return ret_text;
}
