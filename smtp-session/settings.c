/* SPDX-License-Identifier: ISC */

/*
 * settings.c - the variables that smtp-session uses.
 */

#include "config.h"

#include <ctype.h>
#include <string.h>

#include "lib/address.h"
#include "lib/spool/envelope.h"
#include "smtp-session/settings.h"

#define BANNER_LENGTH_MAX 400
#define GREETING_MAX 500 /* RFC 5321 section 4.5.3.1.5, without the code */

static const char *const bare_newline_names[] = {
	[BARE_NEWLINE_REJECT] = "reject",
	[BARE_NEWLINE_NORMALIZE] = "normalize",
	NULL,
};

static const char *const auth_names[] = {
	[AUTH_NONE] = "none",
	[AUTH_ANY] = "any",
	NULL,
};

#define AT(member) offsetof(struct session_settings, member)

static const struct setting table[] = {
	{ "SMTP_BANNER", SETTING_TEXT, AT(banner), "smtpserver ready" },
	{ "SMTP_QUEUE_PATH", SETTING_TEXT, AT(queue_path),
	    SETTINGS_QUEUE_PATH },
	{ "SMTP_QUEUE_KEY_PATH", SETTING_TEXT, AT(queue_key_path) },
	{ "SMTP_TLS_CERT", SETTING_SECRET, AT(tls_cert) },
	{ "SMTP_TLS_KEY", SETTING_SECRET, AT(tls_key) },
	{ "SMTP_BARE_NEWLINE", SETTING_CHOICE, AT(bare_newline), "normalize",
	    .names = bare_newline_names },
	{ "SMTP_AUTH", SETTING_CHOICE, AT(auth), .names = auth_names },
	{ "SMTP_DEBUG", SETTING_FLAG, AT(is_debug), "0" },
	{ "SMTP_RECEIVED_UID", SETTING_FLAG, AT(shows_submitter), "1" },
	{ "SMTP_COMMAND_TIMEOUT", SETTING_NUMBER, AT(command_timeout_sec),
	    "300", 1, 3600 },
	{ "SMTP_DATA_TIMEOUT", SETTING_NUMBER, AT(data_timeout_sec), "180", 1,
	    3600 },
	{ "SMTP_MESSAGE_SIZE", SETTING_NUMBER, AT(message_size_bytes),
	    "10485760", 65536, 1073741824 },
	{ "SMTP_RECIPIENTS", SETTING_NUMBER, AT(recipients), "1000", 1,
	    ENVELOPE_RECIPIENTS_MAX },
	{ "SMTP_FREE_SPACE", SETTING_NUMBER, AT(free_space_mib),
	    SETTINGS_FREE_SPACE, 1, SETTINGS_FREE_SPACE_MAX },
	{ "SMTP_SESSIONS", SETTING_NUMBER, AT(sessions), "1500", 1,
	    SETTINGS_SESSIONS_MAX },
	{ "SMTP_SESSIONS_PER_CLIENT", SETTING_NUMBER, AT(sessions_per_client),
	    NULL, 1, SETTINGS_SESSIONS_MAX },
	{ "SMTP_IDLE_TIMEOUT", SETTING_NUMBER, AT(idle_timeout_sec), "60", 1,
	    86400 },
};

/* A host name need not be a domain: localhost stands for one that is not. */
static int
read_origin(struct session_settings *settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *origin = settings_get("SMTP_ORIGIN", NULL);

	if (origin == NULL)
		origin = is_domain(settings->hostname, false)
		    ? settings->hostname
		    : "localhost";
	else if (!is_domain(origin, false))
		return settings_fail(ret_error,
		    "SMTP_ORIGIN is \"%.64s\"; expected a domain", origin);
	(void)strlcpy(settings->origin, origin, sizeof(settings->origin));
	return 0;
}

static int
check_banner(const char *text, char ret_error[SETTINGS_ERROR_SIZE])
{
	if (strlen(text) > BANNER_LENGTH_MAX)
		return settings_fail(ret_error,
		    "SMTP_BANNER has %zu octets; expected at most %d",
		    strlen(text), BANNER_LENGTH_MAX);
	for (const char *p = text; *p != '\0'; p++)
		if (!isprint((unsigned char)*p))
			return settings_fail(ret_error,
			    "SMTP_BANNER has octet 0x%02x; expected printable "
			    "ASCII",
			    (unsigned char)*p);
	return 0;
}

static int
check_greeting(const struct session_settings *settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	size_t length = strlen(settings->hostname) + strlen(settings->banner);

	if (length <= GREETING_MAX)
		return 0;
	return settings_fail(ret_error,
	    "SMTP_HOSTNAME and SMTP_BANNER have %zu octets; expected at most "
	    "%d",
	    length, GREETING_MAX);
}

static int
check_tls(const struct session_settings *settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	if ((*settings->tls_cert == '\0') == (*settings->tls_key == '\0'))
		return 0;
	return settings_fail(ret_error,
	    "%s is not set; expected SMTP_TLS_CERT and SMTP_TLS_KEY both set, "
	    "or neither",
	    *settings->tls_cert == '\0' ? "SMTP_TLS_CERT" : "SMTP_TLS_KEY");
}

/* By default no client can take all sessions. */
static void
limit_client(struct session_settings *settings)
{
	if (settings->sessions_per_client == 0)
		settings->sessions_per_client =
		    (settings->sessions * 5 + 5) / 6;
}

int
session_settings_load(struct session_settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	int r;

	*ret_settings = (struct session_settings){ .banner = NULL };
	if ((r = settings_read(table, sizeof(table) / sizeof(table[0]),
		 ret_settings, ret_error)) < 0 ||
	    (r = settings_read_hostname("SMTP_HOSTNAME", ret_settings->hostname,
		 ret_error)) < 0 ||
	    (r = read_origin(ret_settings, ret_error)) < 0 ||
	    (r = check_banner(ret_settings->banner, ret_error)) < 0 ||
	    (r = check_greeting(ret_settings, ret_error)) < 0 ||
	    (r = check_tls(ret_settings, ret_error)) < 0)
		return r;
	limit_client(ret_settings);
	return 0;
}
