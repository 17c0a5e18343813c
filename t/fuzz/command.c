/* SPDX-License-Identifier: ISC */

/*
 * command.c - command lines and addresses: an accepted address is within its
 * limits, and unchanged after it is printed and parsed again.
 */

#include "config.h"

#include <ctype.h>

#include "lib/utf8.h"
#include "smtp-session/command.h"
#include "t/fuzz/fuzz.h"

static void
check_text(const struct address *address)
{
	size_t length = strlen(address->text);

	must(length < ADDRESS_SIZE);
	must(address->is_utf8 == has_high_octet(address->text, length));
	for (size_t i = 0; i < length; i++)
		must((unsigned char)address->text[i] >= ' ' &&
		    address->text[i] != 0x7f);
}

/* The domain is the part of the text after its "@", or empty. */
static void
check_domain(const struct address *address)
{
	size_t before = (size_t)(address->domain - address->text);

	must(address->domain >= address->text);
	must(before + strlen(address->domain) == strlen(address->text));
	must(strcmp(address_domain(address->text), address->domain) == 0);
	if (*address->domain == '\0')
		return;
	must(before > 1 && before - 1 < ADDRESS_PATH_MAX);
	must(address->domain[-1] == '@');
	must(is_domain(address->domain, true));
	for (const char *p = address->domain; *p != '\0'; p++)
		must(*p < 'A' || *p > 'Z');
}

/* As the envelope keeps it: "<text>". */
static void
check_round_trip(const struct address *address)
{
	char path[ADDRESS_SIZE + 2];
	struct address again;
	size_t used;

	(void)snprintf(path, sizeof(path), "<%s>", address->text);
	must(address_parse_path(path,
		 ADDRESS_NULL | ADDRESS_UNQUALIFIED | ADDRESS_UTF8, &again,
		 &used) == 0);
	must(used == strlen(path));
	must(strcmp(again.text, address->text) == 0);
	must(again.domain - again.text == address->domain - address->text);
	must(again.is_utf8 == address->is_utf8);
}

/* Another name for the same mailbox, which needs no quotes of its own. */
static void
check_quoted(const struct address *address)
{
	char text[ADDRESS_SIZE], again[ADDRESS_SIZE];
	const char *quoted = address_quote(address->text, text);
	struct address other;

	if (*address->domain == '\0')
		return;
	must(address_parse(quoted, ADDRESS_UTF8, &other) == 0);
	must(strcmp(other.domain, address->domain) == 0);
	must(address_quote(quoted, again) == quoted);
}

static void
check_address(const struct address *address)
{
#ifdef FUZZ_PLANTED
	char small[64];

	strcpy(small, address->text);
	must(strlen(small) > 0 || *address->text == '\0');
#endif
	check_text(address);
	check_domain(address);
	check_round_trip(address);
	check_quoted(address);
}

static void
check_mail(const char *argument)
{
	char *copy = strdup(argument);
	struct mail_arguments mail;

	must(copy != NULL);
	if (command_parse_mail(copy, &mail) == COMMAND_OK) {
		check_address(&mail.sender);
		must(mail.is_smtputf8 || !mail.sender.is_utf8);
	}
	free(copy);
}

static void
check_rcpt(const char *argument, bool is_smtputf8)
{
	char *copy = strdup(argument);
	struct rcpt_arguments rcpt;

	must(copy != NULL);
	if (command_parse_rcpt(copy, is_smtputf8, &rcpt) == COMMAND_OK) {
		check_address(&rcpt.recipient);
		must(is_smtputf8 || !rcpt.recipient.is_utf8);
		must(*rcpt.recipient.text != '\0');
		must(rcpt.orcpt == NULL || is_dsn_orcpt(rcpt.orcpt, true));
	}
	free(copy);
}

static void
check_client_name(const char *name)
{
	char shown[COMMAND_NAME_SIZE];
	size_t length;

	if (!command_parse_name(name, shown))
		return;
	length = strlen(shown);
	must(length > 0 && length <= 255 && fuzz_is_printable(shown, length));
	must(strpbrk(shown, " ()<>\"\\,;@") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = fuzz_text(data, size), *argument, ip[46];
	size_t length = strlen(line);
	const char *verb;

	(void)is_domain(line, false);
	(void)is_domain(line, true);
	if (address_literal_ip(line, ip) == 0)
		must(is_domain(line, false));

	command_split(line, &verb, &argument);
	must(verb == line && strchr(verb, ' ') == NULL);
	must(argument >= line && argument <= line + length);
	must(*argument != ' ');
	must(*argument == '\0' ||
	    !isspace((unsigned char)argument[strlen(argument) - 1]));
	check_mail(argument);
	check_rcpt(argument, false);
	check_rcpt(argument, true);
	check_client_name(argument);
	free(line);
	return 0;
}
