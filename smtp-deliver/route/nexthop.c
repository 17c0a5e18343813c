/* SPDX-License-Identifier: ISC */

/*
 * nexthop.c - where mail goes, as an administrator writes it, and as the name
 * of a destination.
 *
 * Pure: no I/O, no memory.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/ip.h"
#include "lib/text.h"
#include "smtp-deliver/route/nexthop.h"

#define BLANKS " \t"
#define SEPARATORS ", \t" /* of relays */
#define VIA "via "

#define PIN_TAG "SHA256:"

__attribute__((format(printf, 2, 3))) static int
fail(char ret_error[NEXTHOP_ERROR_SIZE], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(ret_error, NEXTHOP_ERROR_SIZE, format, args);
	va_end(args);
	text_make_printable(ret_error);
	return -EINVAL;
}

/* Find the first word "tls". Returns NULL if there is no such word. */
static char *
find_tls(char *text)
{
	for (;;) {
		size_t length;

		text += strspn(text, SEPARATORS);
		if (*text == '\0')
			return NULL;
		length = strcspn(text, SEPARATORS);
		if (length == 3 && strncasecmp(text, "tls", 3) == 0)
			return text;
		text += length;
	}
}

/* Parse a fingerprint: hexadecimal digits, with colons between octets or
 * without. */
static bool
parse_pin(const char *text, size_t length,
    char ret_sha256[TLS_FINGERPRINT_SIZE])
{
	size_t tag = strlen(PIN_TAG), used = 0;

	if (length < tag || strncasecmp(text, PIN_TAG, tag) != 0)
		return false;
	for (size_t i = tag; i < length; i++) {
		if (text[i] == ':' && used > 0 && used % 2 == 0)
			continue;
		if (!isxdigit((unsigned char)text[i]) ||
		    used == TLS_FINGERPRINT_SIZE - 1)
			return false;
		ret_sha256[used++] = (char)tolower((unsigned char)text[i]);
	}
	ret_sha256[used] = '\0';
	return used == TLS_FINGERPRINT_SIZE - 1;
}

/* Take the fingerprints after "tls fingerprint". */
static int
take_pins(const char *text, struct level_pins *ret_pins,
    char ret_error[NEXTHOP_ERROR_SIZE])
{
	ret_pins->count = 0;
	for (;;) {
		size_t length;

		text += strspn(text, BLANKS);
		if (*text == '\0' && ret_pins->count > 0)
			return 0;
		length = strcspn(text, BLANKS);
		if (ret_pins->count == LEVEL_PINS_MAX ||
		    !parse_pin(text, length, ret_pins->sha256[ret_pins->count]))
			return fail(ret_error,
			    "tls fingerprint \"%.96s\"; expected up to %d of "
			    "SHA256: with 64 hexadecimal digits",
			    text, LEVEL_PINS_MAX);
		ret_pins->count++;
		text += length;
	}
}

/* Find the level of a name; LEVELS: there is none. */
static enum level
find_level(const char *name, size_t length)
{
	enum level level = LEVEL_NONE;

	while (level < LEVELS &&
	    (strlen(level_name(level)) != length ||
		strncasecmp(level_name(level), name, length) != 0))
		level++;
	return level;
}

/* Take the words "tls LEVEL" from the end of the text, if they are there. */
static int
take_level(char *text, struct nexthop *ret_nexthop,
    char ret_error[NEXTHOP_ERROR_SIZE])
{
	char *tls = find_tls(text), *word;
	size_t length;

	ret_nexthop->has_level = tls != NULL;
	ret_nexthop->level = LEVEL_VERIFY;
	if (tls == NULL)
		return 0;
	*tls = '\0';
	word = tls + 3 + strspn(tls + 3, BLANKS);
	length = strcspn(word, BLANKS);
	ret_nexthop->level = find_level(word, length);
	if (ret_nexthop->level == LEVEL_FINGERPRINT)
		return take_pins(word + length, &ret_nexthop->pins, ret_error);
	if (ret_nexthop->level < LEVELS &&
	    word[length + strspn(word + length, BLANKS)] == '\0')
		return 0;
	return fail(ret_error,
	    "tls \"%.64s\"; expected dane, sts, verify, fingerprint, encrypt, "
	    "may or none, and nothing after it",
	    word);
}

/* ---- what a level can be asked of ---- */

/* Promise P5: only hosts that the administrator named are never asked for
 * TLS. */
static int
check_none(const struct nexthop *nexthop, char ret_error[NEXTHOP_ERROR_SIZE])
{
	if (!nexthop->is_relayed)
		return fail(ret_error,
		    "tls none with mx; expected it for relays that are hosts, "
		    "[NAME] or [IP]: which hosts MX records name is not yours "
		    "to say");
	for (size_t i = 0; i < nexthop->relays.count; i++) {
		const struct relay *relay = &nexthop->relays.entries[i];

		if (relay->is_domain)
			return fail(ret_error,
			    "tls none with \"%.64s\"; expected it for relays "
			    "that are hosts, such as [%.64s]: which hosts MX "
			    "records name is not yours to say",
			    relay->name, relay->name);
		if (relay->port == RELAYS_PORT_TLS)
			return fail(ret_error,
			    "tls none with port %d; expected another port: "
			    "that one begins with TLS",
			    RELAYS_PORT_TLS);
	}
	return 0;
}

static int
check_sts(const struct nexthop *nexthop, char ret_error[NEXTHOP_ERROR_SIZE])
{
	if (nexthop->is_relayed &&
	    (nexthop->relays.count != 1 ||
		!nexthop->relays.entries[0].is_domain))
		return fail(ret_error,
		    "tls sts with %s; expected it with mx or with one NAME: "
		    "an MTA-STS policy is that of a domain",
		    nexthop->relays.count != 1 ? "several relays" : "a host");
	return 0;
}

static int
check_dane(const struct nexthop *nexthop, char ret_error[NEXTHOP_ERROR_SIZE])
{
	for (size_t i = 0; nexthop->is_relayed && i < nexthop->relays.count;
	     i++)
		if (is_ip(nexthop->relays.entries[i].name))
			return fail(ret_error,
			    "tls dane with [%s]; expected a name: an address "
			    "has no TLSA records",
			    nexthop->relays.entries[i].name);
	return 0;
}

static int
check_level(const struct nexthop *nexthop, char ret_error[NEXTHOP_ERROR_SIZE])
{
	switch (nexthop->level) {
	case LEVEL_NONE:
		return check_none(nexthop, ret_error);
	case LEVEL_STS:
		return check_sts(nexthop, ret_error);
	case LEVEL_DANE:
		return check_dane(nexthop, ret_error);
	default:
		break;
	}
	return 0;
}

static bool
is_mx(const char *text)
{
	text += strspn(text, BLANKS);
	return strncasecmp(text, "mx", 2) == 0 &&
	    text[2 + strspn(text + 2, BLANKS)] == '\0';
}

/* Convert names to lower case, in which they are compared. */
static void
lower_names(struct relays *relays)
{
	for (size_t i = 0; i < relays->count; i++)
		for (char *p = relays->entries[i].name; *p != '\0'; p++)
			*p = (char)tolower((unsigned char)*p);
}

static int
parse_relays(const char *text, struct nexthop *nexthop,
    char ret_error[NEXTHOP_ERROR_SIZE])
{
	char error[RELAYS_ERROR_SIZE];

	nexthop->is_relayed = true;
	if (relays_parse(text, &nexthop->relays, error) < 0)
		return fail(ret_error, "%s, or mx", error);
	lower_names(&nexthop->relays);
	for (size_t i = 0; i < nexthop->relays.count; i++)
		if (nexthop->relays.entries[i].is_domain &&
		    nexthop->relays.entries[i].port == 0 &&
		    strcmp(nexthop->relays.entries[i].name, "mx") == 0)
			return fail(ret_error,
			    "\"mx\" among relays; expected it alone, or [mx] "
			    "for a host of that name");
	return 0;
}

int
nexthop_parse(const char *text, struct nexthop *ret_nexthop,
    char ret_error[NEXTHOP_ERROR_SIZE])
{
	char copy[NEXTHOP_SIZE];
	int r;

	*ret_nexthop = (struct nexthop){ .is_relayed = false };
	if (strlcpy(copy, text, sizeof(copy)) >= sizeof(copy))
		return fail(ret_error, "%zu octets; expected %zu at the most",
		    strlen(text), sizeof(copy) - 1);
	if ((r = take_level(copy, ret_nexthop, ret_error)) < 0)
		return r;
	if (!is_mx(copy) &&
	    (r = parse_relays(copy, ret_nexthop, ret_error)) < 0)
		return r;
	return ret_nexthop->has_level ? check_level(ret_nexthop, ret_error) : 0;
}

/* ---- names of destinations ---- */

static size_t
format_relays(const struct relays *relays, char ret_name[NEXTHOP_SIZE])
{
	size_t used = strlcpy(ret_name, "via", NEXTHOP_SIZE);

	for (size_t i = 0; i < relays->count; i++) {
		const struct relay *relay = &relays->entries[i];
		char port[8] = "";

		if (relay->port != 0)
			(void)snprintf(port, sizeof(port), ":%u", relay->port);
		used += (size_t)snprintf(ret_name + used, NEXTHOP_SIZE - used,
		    " %s%s%s%s", relay->is_domain ? "" : "[", relay->name,
		    relay->is_domain ? "" : "]", port);
	}
	return used;
}

void
nexthop_format(const struct nexthop *nexthop, char ret_name[NEXTHOP_SIZE])
{
	size_t used;

	used = nexthop->is_relayed
	    ? format_relays(&nexthop->relays, ret_name)
	    : strlcpy(ret_name, nexthop->domain, NEXTHOP_SIZE);
	if (!nexthop->has_level)
		return;
	used += (size_t)snprintf(ret_name + used, NEXTHOP_SIZE - used,
	    " tls %s", level_name(nexthop->level));
	if (nexthop->level == LEVEL_FINGERPRINT)
		for (size_t i = 0; i < nexthop->pins.count; i++)
			used += (size_t)snprintf(ret_name + used,
			    NEXTHOP_SIZE - used, " " PIN_TAG "%s",
			    nexthop->pins.sha256[i]);
}

int
nexthop_parse_name(const char *name, struct nexthop *ret_nexthop)
{
	char copy[NEXTHOP_SIZE], error[NEXTHOP_ERROR_SIZE], *rest;

	/* "via" may be a domain: "via", "via tls dane". */
	if (strncmp(name, VIA, strlen(VIA)) == 0 &&
	    nexthop_parse(name + strlen(VIA), ret_nexthop, error) == 0)
		return ret_nexthop->is_relayed ? 0 : -EINVAL;
	*ret_nexthop = (struct nexthop){ .is_relayed = false };
	if (strlcpy(copy, name, sizeof(copy)) >= sizeof(copy))
		return -EINVAL;
	rest = copy + strcspn(copy, BLANKS);
	if (*rest != '\0')
		*rest++ = '\0';
	if (take_level(rest, ret_nexthop, error) < 0 ||
	    rest[strspn(rest, BLANKS)] != '\0')
		return -EINVAL;
	return strlcpy(ret_nexthop->domain, copy, sizeof(ret_nexthop->domain)) <
		sizeof(ret_nexthop->domain)
	    ? 0
	    : -EINVAL;
}

const char *
nexthop_policy_domain(const struct nexthop *nexthop)
{
	if (!nexthop->is_relayed)
		return nexthop->domain;
	if (nexthop->has_level && nexthop->level == LEVEL_STS)
		return nexthop->relays.entries[0].name;
	return NULL;
}
