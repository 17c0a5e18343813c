/* SPDX-License-Identifier: ISC */

#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/submitter.h"

#define TRACE_SIZE 2048

/* The content of the Received field (RFC 5321 section 4.4). */
struct trace {
	const char *client_name; /* as command_parse_name() has it */
	const char *peer; /* its address */
	const struct submitter *submitter; /* NULL: not shown */
	const char *hostname; /* ours */
	const char *id; /* the message's */
	const char *recipient; /* NULL: there are several (section 7.6) */
	bool is_esmtp;
	bool is_tls;
	bool is_smtputf8;
	int64_t real_ms;
};

/* Write the field with its CRLF. Returns its length. */
size_t trace_render(const struct trace *trace, char ret_text[TRACE_SIZE]);

#endif
