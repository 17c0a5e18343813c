/* SPDX-License-Identifier: ISC */

#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/address.h"
#include "lib/dsn.h"

/* RFC 5321 section 4.5.3.1.4 asks for 512 octets at the least; extensions add
 * to that (RFC 1870, 3461, 6152, 6531). With the CRLF. */
#define COMMAND_LINE_MAX 1024

/* What MAIL says. */
struct mail_arguments {
	struct address sender;
	uint64_t size_bytes; /* SIZE= (RFC 1870); 0: not given */
	bool is_8bitmime; /* BODY=8BITMIME (RFC 6152) */
	bool is_smtputf8; /* SMTPUTF8 (RFC 6531) */
	bool is_requiretls; /* REQUIRETLS (RFC 8689) */
	enum dsn_return dsn_return; /* RET= (RFC 3461) */
	const char *envid; /* ENVID= (RFC 3461), within the line; or NULL */
};

/* What RCPT says. */
struct rcpt_arguments {
	struct address recipient;
	unsigned notify; /* NOTIFY= (RFC 3461), enum dsn_notify */
	const char *orcpt; /* ORCPT= (RFC 3461), within the line; or NULL */
};

/*
 * Split a command line into its verb and the argument behind it, in place. An
 * argument that is not there is "". Spaces at the end are dropped.
 */
void command_split(char *line, const char **ret_verb, char **ret_argument);

/*
 * Parse the argument of MAIL ("FROM:<path> parameters") or RCPT ("TO:<path>
 * parameters") (RFC 5321 sections 4.1.1.2 and 4.1.1.3). The argument is cut into
 * pieces.
 *
 * is_smtputf8	of RCPT: whether its MAIL had SMTPUTF8.
 *
 * Returns 0, or -EINVAL for bad syntax around the path, -EBADMSG, -ENAMETOOLONG
 * or -EILSEQ as address_parse_path() does for the path itself, -ENOTSUP for an
 * unknown parameter, -EDOM for a known one with a bad value, and for those of
 * RFC 3461 and RFC 8689 if they come twice.
 */
int command_parse_mail(char *argument, struct mail_arguments *ret_mail);
int command_parse_rcpt(char *argument, bool is_smtputf8,
    struct rcpt_arguments *ret_rcpt);

/* Whether the argument of HELO or EHLO can be one: a domain or an address
 * literal, or what else may go into a header without harm. Clients on this
 * host often do not know their name (RFC 5321 section 4.1.4). */
bool is_client_name(const char *argument);

#endif
