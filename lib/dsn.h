/* SPDX-License-Identifier: ISC */

#ifndef DSN_H
#define DSN_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 3461 sections 4.2 and 4.4: the most octets of ORCPT and ENVID. */
#define DSN_ORCPT_MAX 500
#define DSN_ENVID_MAX 100

/* Room for any NOTIFY, and for decoded xtext, with a NUL. */
#define DSN_NOTIFY_SIZE sizeof("SUCCESS,FAILURE,DELAY")
#define DSN_TEXT_SIZE (DSN_ORCPT_MAX + 1)

/* NOTIFY: the DSNs that a sender asks for, or-ed; 0: not given. */
enum dsn_notify {
	DSN_NEVER = 1, /* never with another one */
	DSN_SUCCESS = 2,
	DSN_FAILURE = 4,
	DSN_DELAY = 8,
};

/* RET: how much of a failed message the DSN returns. */
enum dsn_return {
	DSN_RETURN_UNSAID,
	DSN_RETURN_HEADERS,
	DSN_RETURN_FULL,
};

/* The DSN parameters of one recipient. */
struct dsn_request {
	unsigned notify; /* enum dsn_notify */
	char *orcpt; /* ORCPT as it was given, or NULL */
};

/*
 * Parse and write the value of NOTIFY, and of RET (RFC 3461 sections 4.1 and
 * 4.3). Parsing returns 0 or -EINVAL.
 */
int dsn_parse_notify(const char *value, unsigned *ret_notify);
const char *dsn_format_notify(unsigned notify, char ret_text[DSN_NOTIFY_SIZE]);
int dsn_parse_return(const char *value, enum dsn_return *ret_return);
const char *dsn_return_name(enum dsn_return value);

/* Whether the text is a valid ENVID, or a valid ORCPT: a type, a semicolon and
 * an address, with UTF-8 in it where that is allowed (RFC 6533 section 3).
 * Decoded, both are printable. */
bool is_dsn_envid(const char *value);
bool is_dsn_orcpt(const char *value, bool is_utf8_allowed);

/* Give an ORCPT whose address has UTF-8, encoded in xtext or not, the form of
 * RFC 6533 section 3, in place: UTF-8 after "utf-8;". Postfix sends
 * "rfc822;gr+C3+BCn@...". Other values stay. */
void dsn_normalize_orcpt(char *value);

/* Decode the xtext (RFC 3461 section 4) of a valid ENVID or ORCPT. */
void dsn_decode(const char *value, char ret_text[DSN_TEXT_SIZE]);

#endif
