/* SPDX-License-Identifier: ISC */

/*
 * relays.c - the notation for hosts that take mail instead of MX hosts.
 *
 * Pure: no I/O, no memory; route.c looks the names up.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ip.h"
#include "lib/text.h"
#include "smtp-deliver/route/relays.h"

#define SEPARATORS ", \t"
#define IPV6_TAG "IPv6:"
#define WORD_SIZE (ADDRESS_DOMAIN_MAX + sizeof("[]:65535"))

/* Whether a name can be looked up. Digits and dots alone are a mistake. */
static bool
is_name(const char *text)
{
	return *text != '[' && !is_ip(text) && is_domain(text, true);
}

static bool
parse_port(const char *text, uint16_t *ret_port)
{
	const char *problem;
	size_t digits = strspn(text, "0123456789");

	*ret_port = 0;
	if (*text == '\0')
		return false;
	*ret_port = (uint16_t)strtonum(text, 1, UINT16_MAX, &problem);
	return problem == NULL && text[digits] == '\0';
}

/* Parse [NAME] or [IP]; text is between the brackets. */
static bool
parse_host(const char *text, struct relay *ret_relay)
{
	if (strncasecmp(text, IPV6_TAG, strlen(IPV6_TAG)) == 0)
		text += strlen(IPV6_TAG);
	ret_relay->is_domain = false;
	return (is_ip(text) || is_name(text)) &&
	    strlcpy(ret_relay->name, text, sizeof(ret_relay->name)) <
	    sizeof(ret_relay->name);
}

static bool
parse_domain(const char *text, struct relay *ret_relay)
{
	ret_relay->is_domain = true;
	return is_name(text) &&
	    strlcpy(ret_relay->name, text, sizeof(ret_relay->name)) <
	    sizeof(ret_relay->name);
}

/* Parse one relay; text is modified. */
static bool
parse_relay(char *text, struct relay *ret_relay)
{
	bool is_host = *text == '[';
	char *end = text + strcspn(text, is_host ? "]" : ":"), *port = end;

	if (is_host && *port == ']')
		*port++ = '\0';
	else if (is_host)
		return false;
	ret_relay->port = 0;
	if (*port == ':' && !parse_port(port + 1, &ret_relay->port))
		return false;
	if (*port != ':' && *port != '\0')
		return false;
	*end = '\0';
	return is_host ? parse_host(text + 1, ret_relay)
		       : parse_domain(text, ret_relay);
}

static int
fail(char ret_error[RELAYS_ERROR_SIZE], const char *found, size_t length)
{
	(void)snprintf(ret_error, RELAYS_ERROR_SIZE,
	    "\"%.*s\"; expected up to %d of NAME, [NAME] or [IP], each with "
	    ":PORT or without",
	    (int)(length < 64 ? length : 64), found, RELAYS_MAX);
	text_make_printable(ret_error);
	return -EINVAL;
}

int
relays_parse(const char *text, struct relays *ret_relays,
    char ret_error[RELAYS_ERROR_SIZE])
{
	const char *start = text;

	ret_relays->count = 0;
	for (;;) {
		char word[WORD_SIZE];
		size_t length;

		text += strspn(text, SEPARATORS);
		if (*text == '\0')
			break;
		length = strcspn(text, SEPARATORS);
		if (length >= sizeof(word) || ret_relays->count == RELAYS_MAX)
			return fail(ret_error, text, length);
		memcpy(word, text, length);
		word[length] = '\0';
		if (!parse_relay(word,
			&ret_relays->entries[ret_relays->count++]))
			return fail(ret_error, text, length);
		text += length;
	}
	if (ret_relays->count == 0)
		return fail(ret_error, start, strlen(start));
	return 0;
}
