/* SPDX-License-Identifier: ISC */

#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 5321 section 4.5.3.1: octets of a path with its brackets, and of a
 * domain. The local part's limit of 64 is for its host to judge: VERP and SRS
 * make longer ones. */
#define ADDRESS_PATH_MAX 256
#define ADDRESS_DOMAIN_MAX 255

#define ADDRESS_SIZE (ADDRESS_PATH_MAX + 1)

/* Paths to accept beside <local-part@domain>. */
enum address_flags {
	ADDRESS_NULL = 1, /* <>: the null reverse-path */
	ADDRESS_UNQUALIFIED = 2, /* <local-part>, without a domain */
	ADDRESS_UTF8 = 4, /* RFC 6531: UTF-8 in both parts */
};

struct address {
	/* local-part@domain without brackets or source route, the domain in
	 * lower case; "" for the null path. An unqualified one is the local
	 * part, and "postmaster" in lower case (RFC 5321 section 4.5.1). */
	char text[ADDRESS_SIZE];
	/* The domain within text; the empty end of text if there is none. */
	const char *domain;
	bool is_utf8; /* has octets outside ASCII */
};

/*
 * Parse a path (RFC 5321 section 4.1.2) at the start of a string. A source
 * route (appendix C) and a dot at the end of the domain are accepted and left
 * out. What real hosts have is accepted, too: dots in a row or at the end of
 * the local part, underscores in the domain.
 *
 * text		NUL-terminated; the path ends at its '>'.
 * flags	enum address_flags, or-ed.
 * ret_used	octets of text that the path took.
 *
 * Returns 0, or -EBADMSG for bad syntax, -ENAMETOOLONG for a path over its
 * limit, -EILSEQ for UTF-8 where ADDRESS_UTF8 is not given.
 */
int address_parse_path(const char *text, unsigned flags,
    struct address *ret_address, size_t *ret_used);

/* Append a domain, as is_domain() allows it, to an unqualified address. Returns
 * 0, or -ENAMETOOLONG if the path is over its limit then. */
int address_qualify(struct address *address, const char *domain);

/* Parse an address without brackets, source route or dot at its end: all of the
 * text. Returns what address_parse_path() does. */
int address_parse(const char *text, unsigned flags,
    struct address *ret_address);

/* The domain of an address as address_parse_path() and address_qualify() wrote
 * it, or "" of the null path. */
const char *address_domain(const char *text);

/* The address for a path or a header: with the local part in quotes if its dots
 * need them, and the path allows that. Returns the text itself or ret_text. */
const char *address_quote(const char *text, char ret_text[ADDRESS_SIZE]);

/* Whether the text is a domain, underscores allowed, or an address literal
 * (section 4.1.2). */
bool is_domain(const char *text, bool is_utf8_allowed);

/*
 * The IP address inside an address literal such as [192.0.2.1] or
 * [IPv6:2001:db8::1] (section 4.1.3), as inet_pton(3) takes it.
 *
 * Returns 0, or -EBADMSG if the text is no such literal.
 */
int address_literal_ip(const char *text, char ret_ip[46]);

#endif
