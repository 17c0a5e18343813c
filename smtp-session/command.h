/* SPDX-License-Identifier: ISC */

#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"
#include "lib/dsn.h"

/* RFC 5321 section 4.5.3.1.4 requires 512 octets with the CRLF; extensions add
 * to that (RFC 1870, 3461, 6152, 6531). */
#define COMMAND_LINE_MAX 1024

/* Room for the name of a client: RFC 5321 section 4.5.3.1.2, and a NUL. */
#define COMMAND_NAME_SIZE 256

/* Whether MAIL and RCPT can be understood, and why not. */
enum command_result {
	COMMAND_OK,
	COMMAND_BAD_ARGUMENT, /* no FROM:<path> or TO:<path> */
	COMMAND_BAD_PATH,
	COMMAND_LONG_PATH, /* it is over its limit */
	COMMAND_NEEDS_SMTPUTF8, /* UTF-8 in an address without SMTPUTF8 */
	COMMAND_UNKNOWN_PARAMETER,
	COMMAND_BAD_PARAMETER, /* its value is, or it came twice */
};

/* The arguments of MAIL. An address may be unqualified, here and below. */
struct mail_arguments {
	struct address sender;
	uint64_t size_bytes; /* SIZE= (RFC 1870); 0: not given */
	bool is_8bitmime; /* BODY=8BITMIME (RFC 6152) */
	bool is_smtputf8; /* SMTPUTF8 (RFC 6531) */
	bool is_requiretls; /* REQUIRETLS (RFC 8689) */
	bool has_auth; /* AUTH= (RFC 4954 section 5) */
	enum dsn_return dsn_return; /* RET= (RFC 3461) */
	const char *envid; /* ENVID= (RFC 3461), within the line; or NULL */
};

/* The arguments of RCPT. */
struct rcpt_arguments {
	struct address recipient;
	unsigned notify; /* NOTIFY= (RFC 3461), enum dsn_notify */
	const char *orcpt; /* a valid ORCPT=, within the line; or NULL */
};

/* Drop white space at the end of a line. */
void command_trim(char *line);

/*
 * Split a command line into its verb and its argument, in place. A missing
 * argument is "". White space at the end is dropped.
 */
void command_split(char *line, const char **ret_verb, char **ret_argument);

/*
 * Parse the argument of MAIL ("FROM:<path> parameters") or RCPT ("TO:<path>
 * parameters") (RFC 5321 sections 4.1.1.2 and 4.1.1.3). The argument is cut
 * into pieces.
 *
 * The parameters of RFC 3461 and RFC 8689 must not come twice, except ORCPT:
 * the first valid one counts, others are ignored.
 *
 * is_smtputf8	of RCPT: whether its MAIL had SMTPUTF8.
 */
enum command_result command_parse_mail(char *argument,
    struct mail_arguments *ret_mail);
enum command_result command_parse_rcpt(char *argument, bool is_smtputf8,
    struct rcpt_arguments *ret_rcpt);

/*
 * Parse the argument of HELO or EHLO. It need not be a domain or an address
 * literal: clients on this host often do not know their name (RFC 5321 section
 * 4.1.4).
 *
 * ret_name	the name for a header: characters that no domain or literal has
 *		are question marks.
 *
 * Returns false if the name is missing, too long or has a control character.
 */
bool command_parse_name(const char *argument, char ret_name[COMMAND_NAME_SIZE]);

#endif
