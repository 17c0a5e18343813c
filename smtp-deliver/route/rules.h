/* SPDX-License-Identifier: ISC */

#ifndef RULES_H
#define RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "smtp-deliver/route/nexthop.h"

#define RULES_MAX 100000
#define RULES_LINE_MAX 1024 /* octets, without the LF */
#define RULES_TEXT_SIZE 2048

/*
 * Which way mail goes, by its recipient and its sender: the routes file, line
 * by line, the first rule that matches; behind the last one SMTP_RELAYHOST, or
 * the MX hosts of the recipient's domain.
 */
struct rules;

/* A rule. */
struct rule {
	unsigned line; /* of the file, from 1; 0: the one behind them all */
	const char *who; /* "to example.org", "from <>", "all" */
	const char *nexthop; /* "via [a.example]:587 tls verify", "via mx" */
};

/* Told what is wrong with a line: a mistake, or a rule that can never match.
 * Line 0: with the file. The text is printable, and used during the call
 * only. */
typedef void rules_see(void *context, unsigned line, bool is_mistake,
    const char *text);

/*
 * The rules without a file.
 *
 * relayhost	the value of SMTP_RELAYHOST, or NULL.
 *
 * Returns 0; or -EINVAL with ret_error telling what was found in relayhost and
 * what was expected, or that there is no memory.
 */
int rules_open(const char *relayhost, struct rules **ret_rules,
    char ret_error[NEXTHOP_ERROR_SIZE]);
void rules_close(struct rules *rules); /* NULL is fine */

/*
 * Read a routes file, once. All that is wrong with it is told.
 *
 * Returns 0, or -EINVAL if there was any mistake: the rules are not to be used
 * then.
 */
int rules_read(struct rules *rules, FILE *file, rules_see *see, void *context);

/* How many rules the file has. */
size_t rules_count(const struct rules *rules);

/*
 * Find the rule for a recipient.
 *
 * sender	"" is the null sender. NULL: it is not known, and no rule about
 *		senders matches.
 * recipient	an address as address_parse_path() writes it.
 */
const struct rule *rules_find(const struct rules *rules, const char *sender,
    const char *recipient);

/* The name of the destination to which that rule sends the recipient, as
 * nexthop_format() writes it. */
void rules_name_destination(const struct rule *rule, const char *recipient,
    char ret_name[NEXTHOP_SIZE]);

/* All ports that the rules lead to; 0 is that of SMTP_REMOTE_PORT. They belong
 * to the rules. */
const uint16_t *rules_ports(const struct rules *rules, size_t *ret_count);

#endif
