/* SPDX-License-Identifier: ISC */

/*
 * dsn.c - what senders ask for with the DSN extension (RFC 3461).
 *
 * Pure. Values are kept in xtext, as they were given, so that they can be
 * passed on unchanged. They hold no blank and no control character, neither
 * encoded nor decoded.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/dsn.h"
#include "lib/utf8.h"

struct keyword {
	const char *name;
	unsigned bit;
};

static const struct keyword keywords[] = {
	{ "NEVER", DSN_NEVER },
	{ "SUCCESS", DSN_SUCCESS },
	{ "FAILURE", DSN_FAILURE },
	{ "DELAY", DSN_DELAY },
};

#define KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))

/* The bit of a keyword of that length, or 0. */
static unsigned
keyword_bit(const char *text, size_t length)
{
	for (size_t i = 0; i < KEYWORDS; i++)
		if (strlen(keywords[i].name) == length &&
		    strncasecmp(text, keywords[i].name, length) == 0)
			return keywords[i].bit;
	return 0;
}

int
dsn_parse_notify(const char *value, unsigned *ret_notify)
{
	unsigned notify = 0;

	for (;;) {
		size_t length = strcspn(value, ",");
		unsigned bit = keyword_bit(value, length);

		if (bit == 0 || (notify & bit) != 0)
			return -EINVAL;
		notify |= bit;
		if (value[length] == '\0')
			break;
		value += length + 1;
	}
	if ((notify & DSN_NEVER) != 0 && notify != DSN_NEVER)
		return -EINVAL;
	*ret_notify = notify;
	return 0;
}

const char *
dsn_format_notify(unsigned notify, char ret_text[DSN_NOTIFY_SIZE])
{
	ret_text[0] = '\0';
	for (size_t i = 0; i < KEYWORDS; i++) {
		if ((notify & keywords[i].bit) == 0)
			continue;
		if (ret_text[0] != '\0')
			(void)strlcat(ret_text, ",", DSN_NOTIFY_SIZE);
		(void)strlcat(ret_text, keywords[i].name, DSN_NOTIFY_SIZE);
	}
	return ret_text;
}

int
dsn_parse_return(const char *value, enum dsn_return *ret_return)
{
	if (strcasecmp(value, "FULL") == 0)
		*ret_return = DSN_RETURN_FULL;
	else if (strcasecmp(value, "HDRS") == 0)
		*ret_return = DSN_RETURN_HEADERS;
	else
		return -EINVAL;
	return 0;
}

const char *
dsn_return_name(enum dsn_return value)
{
	return value == DSN_RETURN_FULL ? "FULL" : "HDRS";
}

static int
hex_value(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* The octet encoded by "+" and two digits, or -1. */
static int
hex_octet(const char *text)
{
	int high = hex_value(text[1]);
	int low = high >= 0 ? hex_value(text[2]) : -1;

	return low >= 0 ? 16 * high + low : -1;
}

/* Octets of the xtext character at the start of a text, or 0. */
static size_t
xtext_length(const char *text, bool is_utf8_allowed)
{
	int octet;

	if (*text == '+') {
		octet = hex_octet(text);
		return octet >= ' ' && octet <= '~' ? 3 : 0;
	}
	if (*text > ' ' && *text <= '~' && *text != '=')
		return 1;
	return is_utf8_allowed ? utf8_length(text) : 0;
}

static bool
is_xtext(const char *text, bool is_utf8_allowed)
{
	if (*text == '\0')
		return false;
	while (*text != '\0') {
		size_t length = xtext_length(text, is_utf8_allowed);

		if (length == 0)
			return false;
		text += length;
	}
	return true;
}

bool
is_dsn_envid(const char *value)
{
	return strlen(value) <= DSN_ENVID_MAX && is_xtext(value, false);
}

/* An atom, like the types of addresses. */
static bool
is_type(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-')
			return false;
	return length > 0;
}

bool
is_dsn_orcpt(const char *value, bool is_utf8_allowed)
{
	size_t length = strcspn(value, ";");
	bool is_utf8 = length == 5 && strncasecmp(value, "utf-8", 5) == 0;

	return strlen(value) <= DSN_ORCPT_MAX && is_type(value, length) &&
	    value[length] == ';' &&
	    is_xtext(value + length + 1, is_utf8 && is_utf8_allowed);
}

/* Whether an address has UTF-8, encoded in xtext or not. */
static bool
has_utf8(const char *address)
{
	for (; *address != '\0'; address++)
		if ((unsigned char)*address >= 0x80 ||
		    (*address == '+' && hex_octet(address) >= 0x80))
			return true;
	return false;
}

void
dsn_normalize_orcpt(char *value)
{
	static const char utf8_type[] = "utf-8;";
	size_t length = strcspn(value, ";");
	const char *in = value + length + 1;
	char *out = value + strlen(utf8_type);

	if (value[length] == '\0' ||
	    (strncasecmp(value, "rfc822;", length + 1) != 0 &&
		strncasecmp(value, utf8_type, length + 1) != 0) ||
	    !has_utf8(in))
		return;
	memcpy(value, utf8_type, strlen(utf8_type));
	while (*in != '\0') {
		int octet = *in == '+' ? hex_octet(in) : -1;

		if (octet >= 0x80) {
			*out++ = (char)octet;
			in += 3;
		} else
			*out++ = *in++;
	}
	*out = '\0';
}

void
dsn_decode(const char *value, char ret_text[DSN_TEXT_SIZE])
{
	size_t used = 0;

	while (*value != '\0' && used < DSN_TEXT_SIZE - 1) {
		int octet = *value == '+' ? hex_octet(value) : -1;

		if (octet >= 0) {
			ret_text[used++] = (char)octet;
			value += 3;
		} else
			ret_text[used++] = *value++;
	}
	ret_text[used] = '\0';
}
