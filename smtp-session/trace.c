/* SPDX-License-Identifier: ISC */

/*
 * trace.c - the Received field (RFC 5321 section 4.4, RFC 3848, RFC 6531
 * section 4.3).
 *
 * Pure. A recipient is named only if it is the only one: others could read it.
 * The submitter is a comment.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "smtp-session/trace.h"

static const char *
protocol_name(const struct trace *trace)
{
	if (!trace->is_esmtp)
		return "SMTP";
	if (trace->is_smtputf8)
		return trace->is_tls ? "UTF8SMTPS" : "UTF8SMTP";
	return trace->is_tls ? "ESMTPS" : "ESMTP";
}

size_t
trace_render(const struct trace *trace, char ret_text[TRACE_SIZE])
{
	char date[CLOCK_DATE_SIZE], submitter[32] = "", recipient[512] = "";
	int length;

	clock_format_date(trace->real_ms, date);
	if (trace->submitter != NULL)
		(void)snprintf(submitter, sizeof(submitter), " (uid %u)",
		    trace->submitter->uid);
	if (trace->recipient != NULL)
		(void)snprintf(recipient, sizeof(recipient), "\r\n\tfor <%s>",
		    trace->recipient);
	length = snprintf(ret_text, TRACE_SIZE,
	    "Received: from %s (%s)%s\r\n"
	    "\tby %s (smtpserver) with %s id %s%s;\r\n"
	    "\t%s\r\n",
	    trace->client_name, trace->peer, submitter, trace->hostname,
	    protocol_name(trace), trace->id, recipient, date);
	return (size_t)length;
}
