/* SPDX-License-Identifier: ISC */

/*
 * settings.c - read SMTP_ variables of the environment by a program's table.
 *
 * A value that is not valid is an error that names the variable; nothing is
 * guessed. A name that is not known is only reported: it may belong to a later
 * release. Which variables there are is known here, what they mean only to the
 * programs that have them in a table.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/secret.h"
#include "lib/settings.h"
#include "lib/text.h"

#define PREFIX "SMTP_"
#define NAME_MAX_LENGTH 64 /* of a name that a nearest one is sought for */

/* The variables of all programs, in alphabetical order. SMTP_PORT, SMTP_SOCKET,
 * SMTP_SOCKET_MODE and SMTP_HEALTH_ADDR are for the units' generator, because
 * the programs are handed their sockets. t/source.bats compares this with the
 * tables. */
static const char *const known[] = {
	"SMTP_AUTH",
	"SMTP_AUTH_FILE",
	"SMTP_BANNER",
	"SMTP_BARE_NEWLINE",
	"SMTP_BIND_ADDRESS",
	"SMTP_COMMAND_TIMEOUT",
	"SMTP_CONNECTION_MESSAGES",
	"SMTP_DATA_TIMEOUT",
	"SMTP_DEBUG",
	"SMTP_DELAY_NOTICE",
	"SMTP_DESTINATION_RECIPIENTS",
	"SMTP_DESTINATION_WORKERS",
	"SMTP_DKIM_DOMAIN",
	"SMTP_DKIM_KEY_PATH",
	"SMTP_DKIM_SELECTOR",
	"SMTP_FREE_SPACE",
	"SMTP_HEALTH_ADDR",
	"SMTP_HOSTNAME",
	"SMTP_IDLE_TIMEOUT",
	"SMTP_IP_FAMILY",
	"SMTP_MASQUERADE",
	"SMTP_MESSAGE_SIZE",
	"SMTP_MX_HOSTS",
	"SMTP_ORIGIN",
	"SMTP_PORT",
	"SMTP_PRIVATE_HOSTS",
	"SMTP_QUEUE_KEY_PATH",
	"SMTP_QUEUE_LIFETIME",
	"SMTP_QUEUE_PATH",
	"SMTP_QUEUE_WORKERS",
	"SMTP_RECEIVED_UID",
	"SMTP_RECIPIENTS",
	"SMTP_RELAYHOST",
	"SMTP_REMOTE_PORT",
	"SMTP_REMOTE_TIMEOUT",
	"SMTP_ROUTES",
	"SMTP_SESSIONS",
	"SMTP_SESSIONS_PER_CLIENT",
	"SMTP_SOCKET",
	"SMTP_SOCKET_MODE",
	"SMTP_TLS_CA_FILE",
	"SMTP_TLS_CERT",
	"SMTP_TLS_KEY",
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

const char *
settings_get(const char *variable, const char *initial)
{
	const char *value = getenv(variable);

	return value != NULL && *value != '\0' ? value : initial;
}

int
settings_fail(char ret_error[SETTINGS_ERROR_SIZE], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(ret_error, SETTINGS_ERROR_SIZE, format, args);
	va_end(args);
	text_make_printable(ret_error);
	return -EINVAL;
}

void
settings_get_variable(const char *error, char ret_name[SETTINGS_NAME_SIZE])
{
	size_t length = strcspn(error, " :");

	if (length >= SETTINGS_NAME_SIZE)
		length = SETTINGS_NAME_SIZE - 1;
	memcpy(ret_name, error, length);
	ret_name[length] = '\0';
}

/* ---- one variable -------------------------------------------------------- */

static int
read_number(const struct setting *setting, const char *text, int *ret_number,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *problem;

	*ret_number =
	    (int)strtonum(text, setting->minimum, setting->maximum, &problem);
	if (problem == NULL)
		return 0;
	return settings_fail(ret_error,
	    "%s is \"%.64s\"; expected a number from %d to %d",
	    setting->variable, text, setting->minimum, setting->maximum);
}

static int
read_flag(const struct setting *setting, const char *text, bool *ret_flag,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	*ret_flag = strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0;
	if (*ret_flag || strcmp(text, "0") == 0 ||
	    strcasecmp(text, "false") == 0)
		return 0;
	return settings_fail(ret_error,
	    "%s is \"%.64s\"; expected 1, true, 0 or false", setting->variable,
	    text);
}

/* "a, b or c" */
static void
list_names(const char *const *names, char *list, size_t size)
{
	*list = '\0';
	for (size_t i = 0; names[i] != NULL; i++) {
		if (i > 0)
			(void)strlcat(list,
			    names[i + 1] == NULL ? " or " : ", ", size);
		(void)strlcat(list, names[i], size);
	}
}

static int
read_choice(const struct setting *setting, const char *text, int *ret_choice,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	char list[SETTINGS_ERROR_SIZE / 2];

	for (int i = 0; setting->names[i] != NULL; i++)
		if (strcmp(text, setting->names[i]) == 0) {
			*ret_choice = i;
			return 0;
		}
	list_names(setting->names, list, sizeof(list));
	return settings_fail(ret_error, "%s is \"%.64s\"; expected %s",
	    setting->variable, text, list);
}

static int
read_secret(const struct setting *setting, const char *text,
    char ret_path[PATH_MAX], char ret_error[SETTINGS_ERROR_SIZE])
{
	char reason[SECRET_ERROR_SIZE];

	if (secret_find(text, ret_path, reason) == 0)
		return 0;
	return settings_fail(ret_error, "%s is \"%.64s\"; %s",
	    setting->variable, text, reason);
}

static int
read_variable(const struct setting *setting, void *member,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *text = settings_get(setting->variable, setting->initial);

	if (setting->type == SETTING_TEXT)
		*(const char **)member = text;
	if (text == NULL)
		return 0;
	switch (setting->type) {
	case SETTING_TEXT:
		return 0;
	case SETTING_NUMBER:
		return read_number(setting, text, member, ret_error);
	case SETTING_FLAG:
		return read_flag(setting, text, member, ret_error);
	case SETTING_CHOICE:
		return read_choice(setting, text, member, ret_error);
	case SETTING_SECRET:
		return read_secret(setting, text, member, ret_error);
	}
	return -EINVAL;
}

int
settings_read(const struct setting *table, size_t count, void *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_variable(&table[i],
		    (char *)ret_settings + table[i].offset, ret_error);
	return r;
}

/* ---- host names ---------------------------------------------------------- */

/* A host name as it may stand after EHLO: no spaces, nothing unprintable. */
static bool
is_host_name(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length >= SETTINGS_HOSTNAME_SIZE)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) &&
		    strchr("-_.[]:", text[i]) == NULL)
			return false;
	return true;
}

static void
get_system_name(char ret_hostname[SETTINGS_HOSTNAME_SIZE])
{
	memset(ret_hostname, 0, SETTINGS_HOSTNAME_SIZE);
	(void)gethostname(ret_hostname, SETTINGS_HOSTNAME_SIZE - 1);
	if (!is_host_name(ret_hostname))
		(void)strlcpy(ret_hostname, "localhost",
		    SETTINGS_HOSTNAME_SIZE);
}

int
settings_read_hostname(const char *variable,
    char ret_hostname[SETTINGS_HOSTNAME_SIZE],
    char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *text = settings_get(variable, NULL);

	if (text == NULL) {
		get_system_name(ret_hostname);
		return 0;
	}
	if (!is_host_name(text))
		return settings_fail(ret_error,
		    "%s is \"%.64s\"; expected a host name", variable, text);
	(void)strlcpy(ret_hostname, text, SETTINGS_HOSTNAME_SIZE);
	return 0;
}

/* ---- names that no program has ------------------------------------------- */

static bool
is_known(const char *name, size_t length)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (strlen(known[i]) == length &&
		    strncmp(known[i], name, length) == 0)
			return true;
	return false;
}

static size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many characters must be added, removed or changed to make one name of
 * the other (Levenshtein). length is at most NAME_MAX_LENGTH. */
static size_t
count_edits(const char *name, size_t length, const char *other)
{
	size_t row[NAME_MAX_LENGTH + 1];

	for (size_t i = 0; i <= length; i++)
		row[i] = i;
	for (size_t j = 0; other[j] != '\0'; j++) {
		size_t diagonal = row[0];

		row[0] = j + 1;
		for (size_t i = 1; i <= length; i++) {
			size_t above = row[i];

			row[i] = min_size(min_size(above, row[i - 1]) + 1,
			    diagonal + (name[i - 1] != other[j]));
			diagonal = above;
		}
	}
	return row[length];
}

/* The known name that is nearest, or NULL if a third of the name would have to
 * change. */
static const char *
find_nearest(const char *name, size_t length)
{
	const char *nearest = NULL;
	size_t least;

	if (length > NAME_MAX_LENGTH)
		return NULL;
	least = (length - strlen(PREFIX)) / 3 + 1;
	for (size_t i = 0; i < KNOWN; i++) {
		size_t edits = count_edits(name, length, known[i]);

		if (edits < least) {
			least = edits;
			nearest = known[i];
		}
	}
	return nearest;
}

static void
describe_unknown(const char *name, size_t length,
    char ret_text[SETTINGS_ERROR_SIZE])
{
	const char *nearest = find_nearest(name, length);
	int shown = (int)min_size(length, NAME_MAX_LENGTH);

	if (nearest != NULL)
		(void)snprintf(ret_text, SETTINGS_ERROR_SIZE,
		    "%.*s is not a variable of smtpserver; did you mean %s?",
		    shown, name, nearest);
	else
		(void)snprintf(ret_text, SETTINGS_ERROR_SIZE,
		    "%.*s is not a variable of smtpserver; smtpserver(7) lists "
		    "them",
		    shown, name);
	text_make_printable(ret_text);
}

bool
settings_next_unknown(size_t *position, char ret_text[SETTINGS_ERROR_SIZE])
{
	while (environ != NULL && environ[*position] != NULL) {
		const char *name = environ[(*position)++];
		size_t length = strcspn(name, "=");

		if (strncmp(name, PREFIX, strlen(PREFIX)) == 0 &&
		    !is_known(name, length)) {
			describe_unknown(name, length, ret_text);
			return true;
		}
	}
	return false;
}
