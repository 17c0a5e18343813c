/* SPDX-License-Identifier: ISC */

/*
 * settings.c - the configuration of each program: an accepted value can be sent
 * on the wire, and an error names the variable, in a line without control
 * characters.
 *
 * The input is lines of "SMTP_NAME=value"; a value may contain any octet but
 * LF.
 */

#include "config.h"

#include "smtp-deliver/settings.h"
#include "smtp-health/settings.h"
#include "smtp-session/settings.h"
#include "t/fuzz/fuzz.h"

static void
set_variable(char *line)
{
	char *value = strchr(line, '=');

	if (value == NULL || strncmp(line, "SMTP_", 5) != 0)
		return;
	*value++ = '\0';
	must(setenv(line, value, 1) == 0);
}

static bool
is_between(int number, int least, int most)
{
	return number >= least && number <= most;
}

static void
check_hostname(const char *hostname)
{
	size_t length = strlen(hostname);

	must(length > 0 && length < SETTINGS_HOSTNAME_SIZE);
	must(fuzz_is_printable(hostname, length));
	must(strchr(hostname, ' ') == NULL);
}

static void
check_session(const struct session_settings *settings)
{
	size_t banner = strlen(settings->banner);

	check_hostname(settings->hostname);
	must(fuzz_is_printable(settings->banner, banner));
	must(strlen(settings->hostname) + 1 + banner + strlen("220 \r\n") <=
	    512);
	must(is_between(settings->command_timeout_sec, 1, 3600));
	must(is_between(settings->data_timeout_sec, 1, 3600));
	must(*settings->queue_path != '\0');
	must((*settings->tls_cert == '\0') == (*settings->tls_key == '\0'));
}

static void
check_deliver(const struct deliver_settings *settings)
{
	check_hostname(settings->hostname);
	must(is_between(settings->queue_workers, 1, SETTINGS_WORKERS_MAX));
	must(is_between(settings->remote_port, 1, 65535));
	must(is_between(settings->remote_timeout_sec, 1, 3600));
	must(*settings->queue_path != '\0');
	must(settings->dkim_count <= SETTINGS_DKIM_KEYS_MAX);
	for (size_t i = 0; i < settings->dkim_count; i++) {
		size_t selector = strlen(settings->dkim[i].selector);

		must(selector > 0 && *settings->dkim[i].key_path != '\0');
		must(fuzz_is_printable(settings->dkim[i].selector, selector));
	}
}

/* Errors go to the journal. */
static void
check_error(const char *error)
{
	size_t length = strnlen(error, SETTINGS_ERROR_SIZE);

	must(length > 0 && length < SETTINGS_ERROR_SIZE);
	must(strncmp(error, "SMTP_", 5) == 0);
	for (size_t i = 0; i < length; i++)
		must((unsigned char)error[i] >= ' ' && error[i] != 0x7f);
}

static void
load_settings(void)
{
	struct session_settings session;
	struct deliver_settings deliver;
	struct health_settings health;
	char error[SETTINGS_ERROR_SIZE];

	if (session_settings_load(&session, error) == 0)
		check_session(&session);
	else
		check_error(error);
	if (deliver_settings_load(&deliver, error) == 0)
		check_deliver(&deliver);
	else
		check_error(error);
	if (health_settings_load(&health, error) == 0)
		must(*health.queue_path != '\0');
	else
		check_error(error);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *rest = text, *line;
	char unknown[SETTINGS_ERROR_SIZE];
	size_t position = 0;

	must(clearenv() == 0);
	while ((line = strsep(&rest, "\n")) != NULL)
		set_variable(line);
	load_settings();
	while (settings_next_unknown(&position, unknown))
		check_error(unknown);
	free(text);
	return 0;
}
