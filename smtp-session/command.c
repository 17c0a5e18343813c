/* SPDX-License-Identifier: ISC */

/*
 * command.c - parse command lines (RFC 5321 sections 2.4, 4.1.1 and 4.1.2).
 *
 * Pure: no I/O, no state, no replies.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp-session/command.h"

#define CLIENT_NAME_MAX 255
#define SIZE_DIGITS_MAX 20 /* RFC 1870 section 4 */

void
command_split(char *line, const char **ret_verb, char **ret_argument)
{
	size_t length = strlen(line);

	while (length > 0 && line[length - 1] == ' ')
		line[--length] = '\0';
	*ret_verb = line;
	line += strcspn(line, " ");
	if (*line != '\0')
		*line++ = '\0';
	*ret_argument = line + strspn(line, " ");
}

/* Parse "FROM:<path>" or "TO:<path>"; ret_rest is what follows it. A space
 * after the colon is not in the grammar, but in many programs. */
static int
parse_path(char *argument, const char *keyword, unsigned flags,
    struct address *ret_address, char **ret_rest)
{
	size_t length = strlen(keyword), used;
	char *p = argument;
	int r;

	if (strncasecmp(p, keyword, length) != 0)
		return -EINVAL;
	p += length;
	p += strspn(p, " ");
	if ((r = address_parse_path(p, flags, ret_address, &used)) < 0)
		return r;
	p += used;
	if (*p != '\0' && *p != ' ')
		return -EINVAL;
	*ret_rest = p;
	return 0;
}

/* The next parameter, "KEYWORD" or "KEYWORD=value" in place; NULL: none left.
 * ret_value is NULL if there is no "=". */
static char *
next_parameter(char **rest, char **ret_value)
{
	char *word;

	do
		word = strsep(rest, " ");
	while (word != NULL && *word == '\0');
	if (word == NULL)
		return NULL;
	if ((*ret_value = strchr(word, '=')) != NULL)
		*(*ret_value)++ = '\0';
	return word;
}

static int
parse_size(const char *value, uint64_t *ret_size_bytes)
{
	size_t digits = value != NULL ? strlen(value) : 0;

	if (digits == 0 || digits > SIZE_DIGITS_MAX ||
	    strspn(value, "0123456789") != digits)
		return -EDOM;
	/* What does not fit becomes the largest number: too large anyway. */
	*ret_size_bytes = strtoull(value, NULL, 10);
	return 0;
}

static int
parse_body(const char *value, bool *ret_is_8bitmime)
{
	if (value == NULL)
		return -EDOM;
	if (strcasecmp(value, "8BITMIME") == 0)
		*ret_is_8bitmime = true;
	else if (strcasecmp(value, "7BIT") != 0)
		return -EDOM;
	return 0;
}

/* RET and ENVID (RFC 3461 sections 4.3 and 4.4). */
static int
parse_return(const char *value, struct mail_arguments *mail)
{
	if (value == NULL || mail->dsn_return != DSN_RETURN_UNSAID)
		return -EDOM;
	return dsn_parse_return(value, &mail->dsn_return);
}

static int
parse_envid(const char *value, struct mail_arguments *mail)
{
	if (value == NULL || mail->envid != NULL || !is_dsn_envid(value))
		return -EDOM;
	mail->envid = value;
	return 0;
}

/* It has no value (RFC 8689 section 2). */
static int
parse_requiretls(const char *value, struct mail_arguments *mail)
{
	if (value != NULL || mail->is_requiretls)
		return -EDOM;
	mail->is_requiretls = true;
	return 0;
}

static int
parse_mail_parameter(const char *keyword, const char *value,
    struct mail_arguments *mail)
{
	if (strcasecmp(keyword, "SIZE") == 0)
		return parse_size(value, &mail->size_bytes);
	if (strcasecmp(keyword, "BODY") == 0)
		return parse_body(value, &mail->is_8bitmime);
	if (strcasecmp(keyword, "SMTPUTF8") == 0) {
		mail->is_smtputf8 = true;
		return value == NULL ? 0 : -EDOM;
	}
	if (strcasecmp(keyword, "RET") == 0)
		return parse_return(value, mail);
	if (strcasecmp(keyword, "ENVID") == 0)
		return parse_envid(value, mail);
	if (strcasecmp(keyword, "REQUIRETLS") == 0)
		return parse_requiretls(value, mail);
	return -ENOTSUP;
}

int
command_parse_mail(char *argument, struct mail_arguments *ret_mail)
{
	char *rest, *keyword, *value;
	int r;

	*ret_mail = (struct mail_arguments){ .size_bytes = 0 };
	r = parse_path(argument, "FROM:", ADDRESS_NULL | ADDRESS_UTF8,
	    &ret_mail->sender, &rest);
	if (r < 0)
		return r;
	while ((keyword = next_parameter(&rest, &value)) != NULL)
		if ((r = parse_mail_parameter(keyword, value, ret_mail)) < 0)
			return r;
	return ret_mail->sender.is_utf8 && !ret_mail->is_smtputf8 ? -EILSEQ : 0;
}

/* NOTIFY and ORCPT (RFC 3461 sections 4.1 and 4.2). */
static int
parse_rcpt_parameter(const char *keyword, const char *value, bool is_smtputf8,
    struct rcpt_arguments *rcpt)
{
	if (strcasecmp(keyword, "NOTIFY") == 0)
		return value == NULL || rcpt->notify != 0
		    ? -EDOM
		    : dsn_parse_notify(value, &rcpt->notify);
	if (strcasecmp(keyword, "ORCPT") != 0)
		return -ENOTSUP;
	if (value == NULL || rcpt->orcpt != NULL ||
	    !is_dsn_orcpt(value, is_smtputf8))
		return -EDOM;
	rcpt->orcpt = value;
	return 0;
}

int
command_parse_rcpt(char *argument, bool is_smtputf8,
    struct rcpt_arguments *ret_rcpt)
{
	unsigned flags = ADDRESS_POSTMASTER | (is_smtputf8 ? ADDRESS_UTF8 : 0);
	char *rest, *keyword, *value;
	int r;

	*ret_rcpt = (struct rcpt_arguments){ .orcpt = NULL };
	r = parse_path(argument, "TO:", flags, &ret_rcpt->recipient, &rest);
	if (r < 0)
		return r;
	while ((keyword = next_parameter(&rest, &value)) != NULL)
		if ((r = parse_rcpt_parameter(keyword, value, is_smtputf8,
			 ret_rcpt)) < 0)
			return r;
	return 0;
}

bool
is_client_name(const char *argument)
{
	size_t length = strlen(argument);

	if (length == 0 || length > CLIENT_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)argument[i];

		if (c >= 0x80 || (!isalnum(c) && strchr("-_.:[]", c) == NULL))
			return false;
	}
	return true;
}
