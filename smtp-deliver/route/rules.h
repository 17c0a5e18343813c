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
 * The next hops of mail, by recipient and sender: the first rule of the routes
 * file that matches; without a match SMTP_RELAYHOST, or else the MX hosts of
 * the recipient's domain.
 */
struct rules;

/* A rule. */
struct rule {
	unsigned line; /* of the file, from 1; 0: the default after all rules */
	const char *who; /* "to example.org", "from <>", "all" */
	const char *nexthop; /* "via [a.example]:587 tls verify", "via mx" */
};

/* Gets each finding: a mistake, or a rule that can never match. Line 0: about
 * the file. The text is printable, and valid during the call only. */
typedef void rules_see(void *context, unsigned line, bool is_mistake,
    const char *text);

/*
 * Make rules without a file.
 *
 * relayhost	the value of SMTP_RELAYHOST, or NULL.
 *
 * Returns 0; or -EINVAL with ret_error saying what was found in relayhost and
 * what was expected, or that memory is exhausted.
 */
int rules_open(const char *relayhost, struct rules **ret_rules,
    char ret_error[NEXTHOP_ERROR_SIZE]);
void rules_close(struct rules *rules); /* NULL is ignored */

/*
 * Read a routes file, once. Each finding is reported.
 *
 * Returns 0, or -EINVAL if there was any mistake: the rules must not be used
 * then.
 */
int rules_read(struct rules *rules, FILE *file, rules_see *see, void *context);

/* Return the number of rules in the file. */
size_t rules_count(const struct rules *rules);

/*
 * Find the rule for a recipient.
 *
 * sender	"" is the null sender. NULL: unknown, so no rule about senders
 *		matches.
 * recipient	an address as address_parse_path() writes it.
 */
const struct rule *rules_find(const struct rules *rules, const char *sender,
    const char *recipient);

/* Write the name of the destination to which the rule sends the recipient, as
 * nexthop_format() does. */
void rules_name_destination(const struct rule *rule, const char *recipient,
    char ret_name[NEXTHOP_SIZE]);

/* Return all ports that the rules lead to; 0 is that of SMTP_REMOTE_PORT. The
 * rules own the array. */
const uint16_t *rules_ports(const struct rules *rules, size_t *ret_count);

#endif
