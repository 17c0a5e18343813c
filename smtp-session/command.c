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

#include "lib/text.h"
#include "smtp-session/command.h"

#define SIZE_DIGITS_MAX 20 /* RFC 1870 section 4 */

void
command_trim(char *line)
{
	size_t length = strlen(line);

	while (length > 0 && isspace((unsigned char)line[length - 1]))
		line[--length] = '\0';
}

void
command_split(char *line, const char **ret_verb, char **ret_argument)
{
	command_trim(line);
	*ret_verb = line;
	line += strcspn(line, " ");
	if (*line != '\0')
		*line++ = '\0';
	*ret_argument = line + strspn(line, " ");
}

static enum command_result
path_result(int error)
{
	switch (error) {
	case -ENAMETOOLONG:
		return COMMAND_LONG_PATH;
	case -EILSEQ:
		return COMMAND_NEEDS_SMTPUTF8;
	default:
		return COMMAND_BAD_PATH;
	}
}

/* Parse "FROM:<path>" or "TO:<path>"; ret_rest is what follows it. Many
 * clients send a space after the colon, which the grammar does not allow. */
static enum command_result
parse_path(char *argument, const char *keyword, unsigned flags,
    struct address *ret_address, char **ret_rest)
{
	size_t length = strlen(keyword), used;
	char *p = argument;
	int r;

	if (strncasecmp(p, keyword, length) != 0)
		return COMMAND_BAD_ARGUMENT;
	p += length;
	p += strspn(p, " ");
	r = address_parse_path(p, flags, ret_address, &used);
	if (r < 0)
		return path_result(r);
	p += used;
	if (*p != '\0' && *p != ' ')
		return COMMAND_BAD_ARGUMENT;
	*ret_rest = p;
	return COMMAND_OK;
}

/* The next parameter, "KEYWORD" or "KEYWORD=value" in place, or NULL.
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

static enum command_result
parse_size(const char *value, uint64_t *ret_size_bytes)
{
	size_t digits = value != NULL ? strlen(value) : 0;

	if (digits == 0 || digits > SIZE_DIGITS_MAX ||
	    strspn(value, "0123456789") != digits)
		return COMMAND_BAD_PARAMETER;
	/* A number that does not fit becomes the largest: too large, too. */
	*ret_size_bytes = strtoull(value, NULL, 10);
	return COMMAND_OK;
}

static enum command_result
parse_body(const char *value, bool *ret_is_8bitmime)
{
	if (value == NULL)
		return COMMAND_BAD_PARAMETER;
	if (strcasecmp(value, "8BITMIME") == 0)
		*ret_is_8bitmime = true;
	else if (strcasecmp(value, "7BIT") != 0)
		return COMMAND_BAD_PARAMETER;
	return COMMAND_OK;
}

/* RET and ENVID (RFC 3461 sections 4.3 and 4.4). */
static enum command_result
parse_return(const char *value, struct mail_arguments *mail)
{
	if (value == NULL || mail->dsn_return != DSN_RETURN_UNSAID)
		return COMMAND_BAD_PARAMETER;
	return dsn_parse_return(value, &mail->dsn_return) == 0
	    ? COMMAND_OK
	    : COMMAND_BAD_PARAMETER;
}

static enum command_result
parse_envid(const char *value, struct mail_arguments *mail)
{
	if (value == NULL || mail->envid != NULL || !is_dsn_envid(value))
		return COMMAND_BAD_PARAMETER;
	mail->envid = value;
	return COMMAND_OK;
}

/* It has no value (RFC 8689 section 2). */
static enum command_result
parse_requiretls(const char *value, struct mail_arguments *mail)
{
	if (value != NULL || mail->is_requiretls)
		return COMMAND_BAD_PARAMETER;
	mail->is_requiretls = true;
	return COMMAND_OK;
}

static enum command_result
parse_mail_parameter(const char *keyword, const char *value,
    struct mail_arguments *mail)
{
	if (strcasecmp(keyword, "SIZE") == 0)
		return parse_size(value, &mail->size_bytes);
	if (strcasecmp(keyword, "BODY") == 0)
		return parse_body(value, &mail->is_8bitmime);
	if (strcasecmp(keyword, "SMTPUTF8") == 0) {
		mail->is_smtputf8 = true;
		return value == NULL ? COMMAND_OK : COMMAND_BAD_PARAMETER;
	}
	if (strcasecmp(keyword, "RET") == 0)
		return parse_return(value, mail);
	if (strcasecmp(keyword, "ENVID") == 0)
		return parse_envid(value, mail);
	if (strcasecmp(keyword, "REQUIRETLS") == 0)
		return parse_requiretls(value, mail);
	if (strcasecmp(keyword, "AUTH") == 0) {
		mail->has_auth = true;
		return value != NULL && *value != '\0' ? COMMAND_OK
						       : COMMAND_BAD_PARAMETER;
	}
	return COMMAND_UNKNOWN_PARAMETER;
}

enum command_result
command_parse_mail(char *argument, struct mail_arguments *ret_mail)
{
	char *rest, *keyword, *value;
	enum command_result result;

	*ret_mail = (struct mail_arguments){ .size_bytes = 0 };
	result = parse_path(argument,
	    "FROM:", ADDRESS_NULL | ADDRESS_UNQUALIFIED | ADDRESS_UTF8,
	    &ret_mail->sender, &rest);
	while (result == COMMAND_OK &&
	    (keyword = next_parameter(&rest, &value)) != NULL)
		result = parse_mail_parameter(keyword, value, ret_mail);
	if (result == COMMAND_OK && ret_mail->sender.is_utf8 &&
	    !ret_mail->is_smtputf8)
		return COMMAND_NEEDS_SMTPUTF8;
	return result;
}

/* NOTIFY and ORCPT (RFC 3461 sections 4.1 and 4.2). A notice does well without
 * an ORCPT: one that is not valid is left out. */
static enum command_result
parse_notify(const char *value, struct rcpt_arguments *rcpt)
{
	if (value == NULL || rcpt->notify != 0 ||
	    dsn_parse_notify(value, &rcpt->notify) < 0)
		return COMMAND_BAD_PARAMETER;
	return COMMAND_OK;
}

static enum command_result
parse_rcpt_parameter(const char *keyword, char *value, bool is_smtputf8,
    struct rcpt_arguments *rcpt)
{
	if (strcasecmp(keyword, "NOTIFY") == 0)
		return parse_notify(value, rcpt);
	if (strcasecmp(keyword, "ORCPT") != 0)
		return COMMAND_UNKNOWN_PARAMETER;
	if (value == NULL || rcpt->orcpt != NULL)
		return COMMAND_OK;
	dsn_normalize_orcpt(value);
	if (is_dsn_orcpt(value, is_smtputf8))
		rcpt->orcpt = value;
	return COMMAND_OK;
}

enum command_result
command_parse_rcpt(char *argument, bool is_smtputf8,
    struct rcpt_arguments *ret_rcpt)
{
	unsigned flags = ADDRESS_UNQUALIFIED | (is_smtputf8 ? ADDRESS_UTF8 : 0);
	char *rest, *keyword, *value;
	enum command_result result;

	*ret_rcpt = (struct rcpt_arguments){ .orcpt = NULL };
	result =
	    parse_path(argument, "TO:", flags, &ret_rcpt->recipient, &rest);
	while (result == COMMAND_OK &&
	    (keyword = next_parameter(&rest, &value)) != NULL)
		result =
		    parse_rcpt_parameter(keyword, value, is_smtputf8, ret_rcpt);
	return result;
}

/* Those of ASCII, and U+0080 to U+009F. */
static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if (iscntrl((unsigned char)*text) ||
		    (text[0] == '\xc2' && (text[1] & 0xe0) == 0x80))
			return true;
	return false;
}

bool
command_parse_name(const char *argument, char ret_name[COMMAND_NAME_SIZE])
{
	size_t used = 0;

	if (*argument == '\0' || strlen(argument) >= COMMAND_NAME_SIZE ||
	    has_control(argument))
		return false;
	while (*argument != '\0') {
		char c = *argument;

		ret_name[used++] =
		    isalnum((unsigned char)c) || strchr("-_.:[]", c) != NULL
		    ? c
		    : '?';
		argument += text_character_length(argument);
	}
	ret_name[used] = '\0';
	return true;
}
