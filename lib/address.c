/* SPDX-License-Identifier: ISC */

/*
 * address.c - paths, mailboxes and domains (RFC 5321 sections 4.1.2, 4.1.3 and
 * 4.5.3.1; RFC 6531 section 3.3).
 *
 * Pure: no I/O, no memory. A scanner takes a pointer to its position, moves it
 * past what it accepts and returns whether it accepted anything.
 */

#include "config.h"

#include <arpa/inet.h>

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/address.h"
#include "lib/utf8.h"

#define LABEL_MAX 63

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z');
}

static bool
is_atext(char c)
{
	return is_alnum(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Atext or UTF-8. */
static bool
skip_atext(const char **p)
{
	size_t length = is_atext(**p) ? 1 : utf8_length(*p);

	*p += length;
	return length > 0;
}

/* A Dot-string, or one that has dots in a row or at its end: mailboxes have
 * such names. */
static bool
skip_dot_string(const char **p)
{
	if (!skip_atext(p))
		return false;
	do
		*p += strspn(*p, ".");
	while (skip_atext(p));
	return true;
}

/* A character of a Quoted-string: qtextSMTP, quoted-pairSMTP or UTF-8. */
static bool
skip_quoted_char(const char **p)
{
	size_t length = utf8_length(*p);

	if (length == 0 && (*p)[0] == '\\' && (*p)[1] >= ' ' && (*p)[1] <= '~')
		length = 2;
	else if (length == 0 && **p >= ' ' && **p <= '~' && **p != '"' &&
	    **p != '\\')
		length = 1;
	*p += length;
	return length > 0;
}

static bool
skip_quoted_string(const char **p)
{
	if (**p != '"')
		return false;
	++*p;
	while (skip_quoted_char(p))
		;
	return *(*p)++ == '"';
}

static bool
skip_local_part(const char **p)
{
	return **p == '"' ? skip_quoted_string(p) : skip_dot_string(p);
}

/* Letters, digits, underscores, UTF-8, and hyphens between them. The limit
 * holds for the label in the DNS: with UTF-8 it is checked after the conversion
 * (RFC 5890). */
static bool
skip_label(const char **p)
{
	const char *start = *p;
	bool is_ascii = true;

	for (;;) {
		size_t length = utf8_length(*p);

		if (length == 0 && !is_alnum(**p) && **p != '-' && **p != '_')
			break;
		is_ascii &= length == 0;
		*p += length > 0 ? length : 1;
	}
	return *p > start && (!is_ascii || *p - start <= LABEL_MAX) &&
	    start[0] != '-' && (*p)[-1] != '-';
}

/* Without the dot at its end, if it has one. */
static bool
skip_domain(const char **p)
{
	const char *next = *p;

	while (skip_label(&next)) {
		*p = next;
		if (*next != '.')
			return true;
		next++;
	}
	return **p == '.' && next == *p + 1;
}

static bool
skip_literal(const char **p)
{
	const char *end = strchr(*p, ']');
	char text[64], ip[46];
	size_t length;

	if (**p != '[' || end == NULL)
		return false;
	length = (size_t)(end + 1 - *p);
	if (length >= sizeof(text))
		return false;
	memcpy(text, *p, length);
	text[length] = '\0';
	*p = end + 1;
	return address_literal_ip(text, ip) == 0;
}

static bool
skip_domain_or_literal(const char **p)
{
	return **p == '[' ? skip_literal(p) : skip_domain(p);
}

/* "@one,@two:" (appendix C), or nothing. */
static bool
skip_source_route(const char **p)
{
	if (**p != '@')
		return true;
	do {
		if (*(*p)++ != '@' || !skip_domain_or_literal(p))
			return false;
	} while (**p == ',' && (*p)++);
	return *(*p)++ == ':';
}

static void
lower_case(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

/* domain is within the text, or its end if there is none. */
static int
set_mailbox(struct address *address, const char *local, const char *domain,
    const char *end, unsigned flags)
{
	size_t length = (size_t)(end - local);

	if (length + 2 > ADDRESS_PATH_MAX)
		return -ENAMETOOLONG;
	address->is_utf8 = has_high_octet(local, length);
	if (address->is_utf8 && (flags & ADDRESS_UTF8) == 0)
		return -EILSEQ;

	memcpy(address->text, local, length);
	address->text[length] = '\0';
	lower_case(address->text + (domain - local));
	address->domain = address->text + (domain - local);
	if (domain == end && strcasecmp(address->text, "postmaster") == 0)
		lower_case(address->text);
	return 0;
}

int
address_parse_path(const char *text, unsigned flags,
    struct address *ret_address, size_t *ret_used)
{
	const char *p = text, *local, *domain, *end;
	int r;

	if ((flags & ADDRESS_NULL) != 0 && strncmp(text, "<>", 2) == 0) {
		*ret_used = 2;
		return set_mailbox(ret_address, text, text, text, flags);
	}
	if (*p++ != '<' || !skip_source_route(&p))
		return -EBADMSG;
	local = p;
	if (!skip_local_part(&p))
		return -EBADMSG;
	domain = end = p;
	if (*p == '@') {
		domain = ++p;
		if (!skip_domain_or_literal(&p))
			return -EBADMSG;
		end = p;
		if (*p == '.' && *domain != '[')
			p++;
	} else if ((flags & ADDRESS_UNQUALIFIED) == 0)
		return -EBADMSG;
	if (*p != '>')
		return -EBADMSG;
	if ((r = set_mailbox(ret_address, local, domain, end, flags)) < 0)
		return r;
	*ret_used = (size_t)(p + 1 - text);
	return 0;
}

int
address_qualify(struct address *address, const char *domain)
{
	size_t length = strlen(address->text);

	if (length + strlen(domain) + strlen("<@>") > ADDRESS_PATH_MAX)
		return -ENAMETOOLONG;
	(void)snprintf(address->text + length, sizeof(address->text) - length,
	    "@%s", domain);
	address->domain = address->text + length + 1;
	lower_case(address->text + length + 1);
	return 0;
}

int
address_parse(const char *text, unsigned flags, struct address *ret_address)
{
	char path[ADDRESS_PATH_MAX + 1];
	size_t used;
	int r;

	if (*text == '@')
		return -EBADMSG;
	if (snprintf(path, sizeof(path), "<%s>", text) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if ((r = address_parse_path(path, flags, ret_address, &used)) < 0)
		return r;
	/* Callers compare the text as it is: it must have no dot at its end. */
	return path[used] == '\0' && strlen(ret_address->text) == strlen(text)
	    ? 0
	    : -EBADMSG;
}

/* Whether a local part has dots that a Dot-string cannot have. */
static bool
has_odd_dots(const char *local, size_t length)
{
	if (length == 0 || *local == '"')
		return false;
	for (size_t i = 0; i < length; i++)
		if (local[i] == '.' && (i + 1 == length || local[i + 1] == '.'))
			return true;
	return false;
}

const char *
address_quote(const char *text, char ret_text[ADDRESS_SIZE])
{
	const char *at = strrchr(text, '@');
	size_t length = at != NULL ? (size_t)(at - text) : 0;

	if (!has_odd_dots(text, length) ||
	    strlen(text) + strlen("<\"\">") > ADDRESS_PATH_MAX)
		return text;
	(void)snprintf(ret_text, ADDRESS_SIZE, "\"%.*s\"%s", (int)length, text,
	    at);
	return ret_text;
}

const char *
address_domain(const char *text)
{
	const char *at = strrchr(text, '@');

	return at != NULL ? at + 1 : text + strlen(text);
}

bool
is_domain(const char *text, bool is_utf8_allowed)
{
	const char *p = text;

	return strlen(text) <= ADDRESS_DOMAIN_MAX &&
	    (is_utf8_allowed || !has_high_octet(text, strlen(text))) &&
	    skip_domain_or_literal(&p) && *p == '\0';
}

int
address_literal_ip(const char *text, char ret_ip[46])
{
	static const char ipv6_tag[] = "[IPv6:";
	size_t length = strlen(text), skip = 1;
	int family = AF_INET;
	uint8_t binary[16];

	if (length < 3 || text[0] != '[' || text[length - 1] != ']')
		return -EBADMSG;
	if (strncasecmp(text, ipv6_tag, sizeof(ipv6_tag) - 1) == 0) {
		skip = sizeof(ipv6_tag) - 1;
		family = AF_INET6;
	}
	length -= skip + 1;
	if (length >= 46)
		return -EBADMSG;
	memcpy(ret_ip, text + skip, length);
	ret_ip[length] = '\0';
	return inet_pton(family, ret_ip, binary) == 1 ? 0 : -EBADMSG;
}
