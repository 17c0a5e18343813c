/* SPDX-License-Identifier: ISC */

#ifndef DSN_H
#define DSN_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 3461 sections 4.2 and 4.4: octets of ORCPT and ENVID at the most. */
#define DSN_ORCPT_MAX 500
#define DSN_ENVID_MAX 100

/* Room for any NOTIFY, and for what xtext stands for, with a NUL. */
#define DSN_NOTIFY_SIZE sizeof("SUCCESS,FAILURE,DELAY")
#define DSN_TEXT_SIZE (DSN_ORCPT_MAX + 1)

/* NOTIFY: what a sender wants to be told of, or-ed; 0: he has not said. */
enum dsn_notify {
	DSN_NEVER = 1, /* alone */
	DSN_SUCCESS = 2,
	DSN_FAILURE = 4,
	DSN_DELAY = 8,
};

/* RET: how much of a message that failed he wants back. */
enum dsn_return {
	DSN_RETURN_UNSAID,
	DSN_RETURN_HEADERS,
	DSN_RETURN_FULL,
};

/* What a sender has said of one recipient. */
struct dsn_request {
	unsigned notify; /* enum dsn_notify */
	char *orcpt; /* ORCPT as it was given; NULL: not */
};

/*
 * Parse the value of NOTIFY, or of RET (RFC 3461 sections 4.1 and 4.3), and
 * write one. Parsing returns 0 or -EINVAL.
 */
int dsn_parse_notify(const char *value, unsigned *ret_notify);
const char *dsn_format_notify(unsigned notify, char ret_text[DSN_NOTIFY_SIZE]);
int dsn_parse_return(const char *value, enum dsn_return *ret_return);
const char *dsn_return_name(enum dsn_return value);

/* Whether the text can be the value of ENVID, or of ORCPT: a type, a semicolon
 * and an address; with UTF-8 in the latter where that is allowed (RFC 6533
 * section 3). What they stand for is printable. */
bool is_dsn_envid(const char *value);
bool is_dsn_orcpt(const char *value, bool is_utf8_allowed);

/* What a value that was found to be one stands for, without its xtext (RFC 3461
 * section 4). */
void dsn_decode(const char *value, char ret_text[DSN_TEXT_SIZE]);

#endif
