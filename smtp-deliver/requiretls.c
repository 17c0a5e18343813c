/* SPDX-License-Identifier: ISC */

/*
 * requiretls.c - what a message asks of TLS on all of its way (RFC 8689).
 *
 *	REQUIRETLS		to whom it may go, and who can take it
 *	TLS-Required: No	whether the policies of domains are to be put
 *				aside for it
 *
 * Knows nothing of how hosts are found, and asks nobody anything.
 */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "smtp-deliver/requiretls.h"

#define FIELD_NAME "TLS-Required"

int
requiretls_check_name(const struct route_host *host,
    const struct sts_policy *policy, struct verdict *ret_verdict)
{
	if (host->is_name_secure ||
	    (policy != NULL && policy->mode == STS_ENFORCE &&
		sts_has_host(policy, host->name)))
		return 0;
	*ret_verdict = (struct verdict){ .outcome = OUTCOME_NONE };
	verdict_set(ret_verdict, OUTCOME_FAILED, "5.7.30",
	    "REQUIRETLS: neither DNSSEC nor an MTA-STS policy vouches that the "
	    "host is the domain's");
	(void)strlcpy(ret_verdict->host, host->name, sizeof(ret_verdict->host));
	return -EPROTONOSUPPORT;
}

int
requiretls_check_client(const struct client *client,
    struct verdict *ret_verdict)
{
	bool is_secure = client_is_secure(client);

	if (is_secure && client->offers.has_requiretls)
		return 0;
	dialogue_begin_verdict(&client->dialogue, ret_verdict);
	if (is_secure)
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.7.30",
		    "the host does not offer REQUIRETLS");
	else
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.7.10",
		    "REQUIRETLS: there is no TLS with the host");
	return -EPROTONOSUPPORT;
}

/* ---- TLS-Required -------------------------------------------------------- */

/* What is left to be read. */
struct text {
	const char *p;
	const char *end;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Take a field with the lines that it goes on with. Returns whether there is
 * one: the blank line and the end of the text are none. */
static bool
take_field(struct text *text, struct text *ret_field)
{
	const char *p = text->p;

	if (p == text->end || *p == '\r' || *p == '\n')
		return false;
	do {
		p = memchr(p, '\n', (size_t)(text->end - p));
		p = p != NULL ? p + 1 : text->end;
	} while (p < text->end && (*p == ' ' || *p == '\t'));
	ret_field->p = text->p;
	ret_field->end = p;
	text->p = p;
	return true;
}

/* Whether a field is of a name; what is left of it then is its value. */
static bool
take_name(struct text *field, const char *name)
{
	size_t length = strlen(name);

	if ((size_t)(field->end - field->p) <= length ||
	    strncasecmp(field->p, name, length) != 0)
		return false;
	field->p += length;
	while (field->p < field->end && is_blank(*field->p))
		field->p++;
	return field->p < field->end && *field->p++ == ':';
}

static bool
is_no(struct text value)
{
	while (value.p < value.end && is_blank(*value.p))
		value.p++;
	while (value.p < value.end && is_blank(value.end[-1]))
		value.end--;
	return value.end - value.p == 2 && strncasecmp(value.p, "No", 2) == 0;
}

bool
requiretls_is_waived(const char *text, size_t length)
{
	struct text rest = { text, text + length }, field;
	bool is_waived = false;
	int count = 0;

	while (take_field(&rest, &field))
		if (take_name(&field, FIELD_NAME)) {
			is_waived = is_no(field);
			count++;
		}
	return is_waived && count == 1;
}
