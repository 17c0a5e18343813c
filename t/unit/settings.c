/* SPDX-License-Identifier: ISC */

/*
 * settings.c - each variable has its default and its values; an error names the
 * variable and what was expected, and stops only the programs that use the
 * variable; an unknown variable is reported with the most similar known one.
 */

#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "smtp-deliver/settings.h"
#include "smtp-health/settings.h"
#include "smtp-session/settings.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X250 X50 X50 X50 X50 X50

/* clang-format off */

/* A variable, its value, and the resulting setting; for SMTP_DEBUG, the number
 * of programs in which it is on. */
static const struct { const char *variable, *value; int expected; } numbers[] = {
	{ "SMTP_QUEUE_WORKERS", NULL, 20 },
	{ "SMTP_QUEUE_WORKERS", "", 20 },
	{ "SMTP_QUEUE_WORKERS", "1", 1 },
	{ "SMTP_QUEUE_WORKERS", "1000", 1000 },
	{ "SMTP_REMOTE_PORT", NULL, 25 },
	{ "SMTP_REMOTE_PORT", "65535", 65535 },
	{ "SMTP_MX_HOSTS", NULL, 5 },
	{ "SMTP_MX_HOSTS", "32", 32 },
	{ "SMTP_PRIVATE_HOSTS", NULL, true },
	{ "SMTP_PRIVATE_HOSTS", "0", false },
	{ "SMTP_IP_FAMILY", NULL, IP_ANY },
	{ "SMTP_IP_FAMILY", "any", IP_ANY },
	{ "SMTP_IP_FAMILY", "ipv4", IP_V4 },
	{ "SMTP_IP_FAMILY", "ipv6", IP_V6 },
	{ "SMTP_IP_FAMILY", "prefer-ipv4", IP_PREFER_V4 },
	{ "SMTP_IP_FAMILY", "prefer-ipv6", IP_PREFER_V6 },
	{ "SMTP_COMMAND_TIMEOUT", NULL, 300 },
	{ "SMTP_COMMAND_TIMEOUT", "1", 1 },
	{ "SMTP_DATA_TIMEOUT", NULL, 180 },
	{ "SMTP_DATA_TIMEOUT", "3600", 3600 },
	{ "SMTP_REMOTE_TIMEOUT", NULL, 600 },
	{ "SMTP_REMOTE_TIMEOUT", "7", 7 },
	{ "SMTP_QUEUE_LIFETIME", NULL, 5 },
	{ "SMTP_QUEUE_LIFETIME", "30", 30 },
	{ "SMTP_DELAY_NOTICE", NULL, 4 },
	{ "SMTP_DELAY_NOTICE", "0", 0 },
	{ "SMTP_DELAY_NOTICE", "720", 720 },
	{ "SMTP_AUTH", NULL, AUTH_NONE },
	{ "SMTP_AUTH", "none", AUTH_NONE },
	{ "SMTP_AUTH", "any", AUTH_ANY },
	{ "SMTP_MESSAGE_SIZE", NULL, 10485760 },
	{ "SMTP_MESSAGE_SIZE", "65536", 65536 },
	{ "SMTP_MESSAGE_SIZE", "1073741824", 1073741824 },
	{ "SMTP_RECEIVED_UID", NULL, 1 },
	{ "SMTP_RECEIVED_UID", "0", 0 },
	{ "SMTP_RECIPIENTS", NULL, 1000 },
	{ "SMTP_RECIPIENTS", "1", 1 },
	{ "SMTP_FREE_SPACE", NULL, 16 },
	{ "SMTP_FREE_SPACE", "1000000000", 1000000000 },
	{ "SMTP_SESSIONS", NULL, 1500 },
	{ "SMTP_SESSIONS", "10000", 10000 },
	{ "SMTP_SESSIONS_PER_CLIENT", NULL, 1250 },
	{ "SMTP_SESSIONS_PER_CLIENT", "1", 1 },
	{ "SMTP_IDLE_TIMEOUT", NULL, 60 },
	{ "SMTP_IDLE_TIMEOUT", "86400", 86400 },
	{ "SMTP_DEBUG", NULL, 0 },
	{ "SMTP_DEBUG", "", 0 },
	{ "SMTP_DEBUG", "0", 0 },
	{ "SMTP_DEBUG", "false", 0 },
	{ "SMTP_DEBUG", "1", 3 },
	{ "SMTP_DEBUG", "true", 3 },
	{ "SMTP_DEBUG", "True", 3 },
	{ "SMTP_BARE_NEWLINE", NULL, BARE_NEWLINE_NORMALIZE },
	{ "SMTP_BARE_NEWLINE", "reject", BARE_NEWLINE_REJECT },
	{ "SMTP_BARE_NEWLINE", "normalize", BARE_NEWLINE_NORMALIZE },
};

static const struct { const char *variable, *value, *expected; } texts[] = {
	{ "SMTP_HOSTNAME", "mail.example.org", "mail.example.org" },
	{ "SMTP_HOSTNAME", "[192.0.2.1]", "[192.0.2.1]" },
	{ "SMTP_HOSTNAME", "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]" },
	{ "SMTP_ORIGIN", "example.org", "example.org" },
	{ "SMTP_ORIGIN", "[192.0.2.1]", "[192.0.2.1]" },
	{ "SMTP_BANNER", NULL, "smtpserver ready" },
	{ "SMTP_BANNER", "", "smtpserver ready" },
	{ "SMTP_BANNER", "hello, world", "hello, world" },
	{ "SMTP_BANNER", X250 X50 X50 X50, X250 X50 X50 X50 },
	{ "SMTP_QUEUE_PATH", NULL, "./data/spool" },
	{ "SMTP_QUEUE_PATH", "/var/spool/x", "/var/spool/x" },
	{ "SMTP_TLS_CA_FILE", NULL, NULL },
	{ "SMTP_TLS_CA_FILE", "/ca.pem", "/ca.pem" },
	{ "SMTP_TLS_CERT", NULL, NULL },
	{ "SMTP_TLS_CERT", "", NULL },
	{ "SMTP_TLS_KEY", NULL, NULL },
	{ "SMTP_DKIM_DOMAIN", NULL, NULL },
};

/* A variable, its value, the error after the variable's name, and which of
 * smtp-session, smtp-deliver and smtp-health stop. */
static const struct { const char *variable, *value, *expected, *stops; } errors[] = {
	{ "SMTP_DESTINATION_WORKERS", "0", "\"0\"; expected a number from 1 to 1000", "d" },
	{ "SMTP_DESTINATION_RECIPIENTS", "0",
	    "\"0\"; expected a number from 1 to 1000", "d" },
	{ "SMTP_DESTINATION_RECIPIENTS", "1001", "from 1 to 1000", "d" },
	{ "SMTP_CONNECTION_MESSAGES", "0",
	    "\"0\"; expected a number from 1 to 100000", "d" },
	{ "SMTP_QUEUE_WORKERS", "0", "\"0\"; expected a number from 1 to 1000", "d" },
	{ "SMTP_QUEUE_WORKERS", "1001", "from 1 to 1000", "d" },
	{ "SMTP_QUEUE_WORKERS", "-1", "from 1 to 1000", "d" },
	{ "SMTP_QUEUE_WORKERS", "many", "\"many\"", "d" },
	{ "SMTP_QUEUE_WORKERS", "1x", "\"1x\"", "d" },
	{ "SMTP_QUEUE_WORKERS", "99999999999999999999", "from 1 to 1000", "d" },
	{ "SMTP_REMOTE_PORT", "0", "from 1 to 65535", "d" },
	{ "SMTP_REMOTE_PORT", "65536", "from 1 to 65535", "d" },
	{ "SMTP_REMOTE_PORT", "smtp", "\"smtp\"", "d" },
	{ "SMTP_MX_HOSTS", "0", "from 1 to 32", "d" },
	{ "SMTP_PRIVATE_HOSTS", "no", "expected 1, true, 0 or false", "d" },
	{ "SMTP_IP_FAMILY", "IPv4", "expected any, ipv4, ipv6, prefer-ipv4 or", "d" },
	{ "SMTP_BIND_ADDRESS", "eth0", "\"eth0\"; expected an IPv4 address", "d" },
	{ "SMTP_BIND_ADDRESS", "192.0.2.1 192.0.2.2", "or one of each", "d" },
	{ "SMTP_BIND_ADDRESS", "2001:db8::1,2001:db8::2", "or one of each", "d" },
	{ "SMTP_BIND_ADDRESS", "192.0.2.1 2001:db8::1 x", "or one of each", "d" },
	{ "SMTP_BIND_ADDRESS", "0.0.0.0", "\"0.0.0.0\"", "d" },
	{ "SMTP_BIND_ADDRESS", "::", "\"::\"", "d" },
	{ "SMTP_BIND_ADDRESS", "::ffff:192.0.2.1", "or one of each", "d" },
	{ "SMTP_BIND_ADDRESS", "[192.0.2.1]", "\"[192.0.2.1]\"", "d" },
	{ "SMTP_BIND_ADDRESS", X250, "one of each", "d" },
	{ "SMTP_COMMAND_TIMEOUT", "0", "from 1 to 3600", "s" },
	{ "SMTP_DATA_TIMEOUT", "3601", "from 1 to 3600", "s" },
	{ "SMTP_REMOTE_TIMEOUT", "5 min", "from 1 to 3600", "d" },
	{ "SMTP_MESSAGE_SIZE", "65535", "from 65536 to 1073741824", "s" },
	{ "SMTP_MESSAGE_SIZE", "10M", "\"10M\"; expected a number from 65536 to", "s" },
	{ "SMTP_RECIPIENTS", "1001", "from 1 to 1000", "s" },
	{ "SMTP_FREE_SPACE", "0", "from 1 to 1000000000", "sdh" },
	{ "SMTP_SESSIONS", "10001", "from 1 to 10000", "s" },
	{ "SMTP_SESSIONS_PER_CLIENT", "0", "from 1 to 10000", "s" },
	{ "SMTP_IDLE_TIMEOUT", "0", "from 1 to 86400", "s" },
	{ "SMTP_QUEUE_LIFETIME", "0", "from 1 to 30", "d" },
	{ "SMTP_DELAY_NOTICE", "4h", "\"4h\"; expected a number from 0 to 720", "d" },
	{ "SMTP_DEBUG", "yes", "\"yes\"; expected 1, true, 0 or false", "sdh" },
	{ "SMTP_DEBUG", "\x1b[2J\x7f", "\"?[2J?\"; expected 1, true, 0 or false", "sdh" },
	{ "SMTP_DEBUG", "2", "expected 1, true, 0 or false", "sdh" },
	{ "SMTP_AUTH", "yes", "\"yes\"; expected none or any", "s" },
	{ "SMTP_BARE_NEWLINE", "accept", "\"accept\"; expected reject or normalize", "s" },
	{ "SMTP_BARE_NEWLINE", "Reject", "expected reject or normalize", "s" },
	{ "SMTP_HOSTNAME", "two words", "\"two words\"; expected a host name", "sdh" },
	{ "SMTP_HOSTNAME", "a\r\nb", "\"a??b\"; expected a host name", "sdh" },
	{ "SMTP_HOSTNAME", "b\xc3\xbc.example", "expected a host name", "sdh" },
	{ "SMTP_HOSTNAME", X250 X10, "expected a host name", "sdh" },
	{ "SMTP_ORIGIN", "@example.org", "\"@example.org\"; expected a domain", "s" },
	{ "SMTP_ORIGIN", "example.org.", "expected a domain", "s" },
	{ "SMTP_ORIGIN", "b\xc3\xbc.example", "expected a domain", "s" },
	{ "SMTP_ORIGIN", X250 X10, "expected a domain", "s" },
	{ "SMTP_BANNER", "a\r\n250 b", "octet 0x0d; expected printable ASCII", "s" },
	{ "SMTP_BANNER", "gr\xc3\xbc\xc3\x9f", "octet 0xc3; expected printable ASCII", "s" },
	{ "SMTP_BANNER", X250 X50 X50 X50 "x", "401 octets; expected at most 400", "s" },
	{ "SMTP_TLS_CERT", "/cert.pem", "SMTP_TLS_KEY is not set; expected SMTP_TLS_CERT and SMTP_TLS_KEY both", "s" },
	{ "SMTP_TLS_KEY", "/key.pem", "SMTP_TLS_CERT is not set", "s" },
	{ "SMTP_TLS_CERT", "cert.pem", "\"cert.pem\"; it is the name of a credential, but", "s" },
	{ "SMTP_TLS_KEY", "key.pem", "\"key.pem\"; it is the name of a credential, but", "s" },
	{ "SMTP_DKIM_SELECTOR", "a", "SMTP_DKIM_KEY_PATH is not set; expected SMTP_DKIM_SELECTOR and", "d" },
	{ "SMTP_DKIM_KEY_PATH", "/key.pem", "SMTP_DKIM_SELECTOR is not set", "d" },
	{ "SMTP_DKIM_DOMAIN", "example.org", "\"example.org\"; expected a domain, and SMTP_DKIM_SELECTOR set", "d" },
};

/* Selectors and files, and the number of pairs, or the error. */
static const struct { const char *selectors, *paths, *domain; size_t expected; const char *error; } keys[] = {
	{ "a", "/a.pem", NULL, 1, NULL },
	{ "2026-a.mail", "credential", "example.org", 1, NULL },
	{ "a,b_c", "/a.pem,/b.pem", "sub.example.org", 2, NULL },
	{ "a,b", "/a.pem", NULL, 0, "SMTP_DKIM_SELECTOR is \"a,b\"; expected one for each" },
	{ "a", "/a.pem,/b.pem", NULL, 0, "expected one for each" },
	{ "a,b,c", "/a,/b,/c", NULL, 0, "at most 2" },
	{ "a,", "/a.pem,/b.pem", NULL, 0, "SMTP_DKIM_SELECTOR is \"a,\"; expected the name" },
	{ "a,b", "/a.pem,", NULL, 0, "SMTP_DKIM_KEY_PATH is \"/a.pem,\"; expected a file" },
	{ "a b", "/a.pem", NULL, 0, "SMTP_DKIM_SELECTOR is \"a b\"" },
	{ "a;d=x", "/a.pem", NULL, 0, "SMTP_DKIM_SELECTOR is" },
	{ ".a", "/a.pem", NULL, 0, "SMTP_DKIM_SELECTOR is" },
	{ "a.", "/a.pem", NULL, 0, "SMTP_DKIM_SELECTOR is" },
	{ X250 X10, "/a.pem", NULL, 0, "SMTP_DKIM_SELECTOR is" },
	{ "a", "/" X250 X10, NULL, 0, "SMTP_DKIM_KEY_PATH is" },
	{ "a", "/a.pem", "b..c", 0, "SMTP_DKIM_DOMAIN is \"b..c\"; expected a domain" },
	{ "a", "/a.pem", "b\r\nX: c", 0, "SMTP_DKIM_DOMAIN is \"b??X: c\"" },
	{ "a", "/a.pem", X250 X10, 0, "SMTP_DKIM_DOMAIN is" },
};
#define UNKNOWN " is not a variable of smtpserver; "

/* A variable, and the warning. */
static const struct { const char *variable, *expected; } unknown[] = {
	{ "SMTP_RELAY_HOST", "SMTP_RELAY_HOST" UNKNOWN "did you mean SMTP_RELAYHOST?" },
	{ "SMTP_RELAYHOSTS", "SMTP_RELAYHOSTS" UNKNOWN "did you mean SMTP_RELAYHOST?" },
	{ "SMTP_HEALTH_ADDRESS", "SMTP_HEALTH_ADDRESS" UNKNOWN "did you mean SMTP_HEALTH_ADDR?" },
	{ "SMTP_PROT", "SMTP_PROT" UNKNOWN "smtpserver(7) lists them" },
	{ "SMTP_PORTS", "SMTP_PORTS" UNKNOWN "did you mean SMTP_PORT?" },
	{ "SMTP_DKIM_KEYPATH", "SMTP_DKIM_KEYPATH" UNKNOWN "did you mean SMTP_DKIM_KEY_PATH?" },
	{ "SMTP_DKIM_SELEKTOR", "SMTP_DKIM_SELEKTOR" UNKNOWN "did you mean SMTP_DKIM_SELECTOR?" },
	{ "SMTP_Debug", "SMTP_Debug" UNKNOWN "smtpserver(7) lists them" },
	{ "SMTP_PASSWORD", "SMTP_PASSWORD" UNKNOWN "smtpserver(7) lists them" },
	{ "SMTP_", "SMTP_" UNKNOWN "smtpserver(7) lists them" },
	{ "SMTP_\x1b[2J", "SMTP_?[2J" UNKNOWN "smtpserver(7) lists them" },
	{ "SMTP_" X250, "SMTP_" X50 "xxxxxxxxx" UNKNOWN "smtpserver(7) lists them" },
	{ "SMTP_RELAYHOST", "" },
	{ "SMTP_PORT", "" },
	{ "SMTPSERVER_BUILD", "" },
	{ "MY_SMTP_PORT", "" },
};
/* clang-format on */

static void
set(const char *variable, const char *value)
{
	need(clearenv() == 0);
	if (value != NULL)
		need(setenv(variable, value, 1) == 0);
}

/* The settings of all programs. */
struct all {
	struct session_settings session;
	struct deliver_settings deliver;
	struct health_settings health;
};

/* Load the settings of each program as it does. Returns the initials of those
 * that cannot start, and the last error. */
static const char *
load_all(struct all *ret_all, char ret_error[SETTINGS_ERROR_SIZE])
{
	static char stopped[4];
	char error[SETTINGS_ERROR_SIZE];

	stopped[0] = ret_error[0] = '\0';
	if (session_settings_load(&ret_all->session, error) < 0) {
		(void)strlcat(stopped, "s", sizeof(stopped));
		(void)strlcpy(ret_error, error, sizeof(error));
	}
	if (deliver_settings_load(&ret_all->deliver, error) < 0) {
		(void)strlcat(stopped, "d", sizeof(stopped));
		(void)strlcpy(ret_error, error, sizeof(error));
	}
	if (health_settings_load(&ret_all->health, error) < 0) {
		(void)strlcat(stopped, "h", sizeof(stopped));
		(void)strlcpy(ret_error, error, sizeof(error));
	}
	return stopped;
}

static void
load(struct all *ret_all)
{
	char error[SETTINGS_ERROR_SIZE];

	need(*load_all(ret_all, error) == '\0');
}

static int
number_of(const struct all *all, const char *variable)
{
	const struct session_settings *session = &all->session;
	const struct deliver_settings *deliver = &all->deliver;

	if (strcmp(variable, "SMTP_QUEUE_WORKERS") == 0)
		return deliver->queue_workers;
	if (strcmp(variable, "SMTP_REMOTE_PORT") == 0)
		return deliver->remote_port;
	if (strcmp(variable, "SMTP_MX_HOSTS") == 0)
		return deliver->mx_hosts;
	if (strcmp(variable, "SMTP_PRIVATE_HOSTS") == 0)
		return deliver->is_private_allowed;
	if (strcmp(variable, "SMTP_IP_FAMILY") == 0)
		return (int)deliver->ip_family;
	if (strcmp(variable, "SMTP_COMMAND_TIMEOUT") == 0)
		return session->command_timeout_sec;
	if (strcmp(variable, "SMTP_DATA_TIMEOUT") == 0)
		return session->data_timeout_sec;
	if (strcmp(variable, "SMTP_REMOTE_TIMEOUT") == 0)
		return deliver->remote_timeout_sec;
	if (strcmp(variable, "SMTP_AUTH") == 0)
		return (int)session->auth;
	if (strcmp(variable, "SMTP_MESSAGE_SIZE") == 0)
		return session->message_size_bytes;
	if (strcmp(variable, "SMTP_RECEIVED_UID") == 0)
		return session->shows_submitter;
	if (strcmp(variable, "SMTP_RECIPIENTS") == 0)
		return session->recipients;
	if (strcmp(variable, "SMTP_FREE_SPACE") == 0 &&
	    session->free_space_mib == deliver->free_space_mib &&
	    session->free_space_mib == all->health.free_space_mib)
		return session->free_space_mib;
	if (strcmp(variable, "SMTP_SESSIONS") == 0)
		return session->sessions;
	if (strcmp(variable, "SMTP_SESSIONS_PER_CLIENT") == 0)
		return session->sessions_per_client;
	if (strcmp(variable, "SMTP_QUEUE_LIFETIME") == 0)
		return deliver->queue_lifetime_days;
	if (strcmp(variable, "SMTP_DELAY_NOTICE") == 0)
		return deliver->delay_notice_hours;
	if (strcmp(variable, "SMTP_IDLE_TIMEOUT") == 0)
		return session->idle_timeout_sec;
	if (strcmp(variable, "SMTP_DEBUG") == 0)
		return session->is_debug + deliver->is_debug +
		    all->health.is_debug;
	return (int)session->bare_newline;
}

static const char *
or_null(const char *text)
{
	return *text != '\0' ? text : NULL;
}

static const char *
text_of(const struct all *all, const char *variable)
{
	if (strcmp(variable, "SMTP_HOSTNAME") == 0)
		return all->session.hostname;
	if (strcmp(variable, "SMTP_ORIGIN") == 0)
		return all->session.origin;
	if (strcmp(variable, "SMTP_BANNER") == 0)
		return all->session.banner;
	if (strcmp(variable, "SMTP_QUEUE_PATH") == 0)
		return all->health.queue_path;
	if (strcmp(variable, "SMTP_TLS_CA_FILE") == 0)
		return all->deliver.tls_ca_file;
	if (strcmp(variable, "SMTP_TLS_CERT") == 0)
		return or_null(all->session.tls_cert);
	if (strcmp(variable, "SMTP_DKIM_DOMAIN") == 0)
		return all->deliver.dkim_domain;
	return or_null(all->session.tls_key);
}

static const char *
or_unset(const char *text)
{
	return text != NULL ? text : "(unset)";
}

static void
check_values(void)
{
	struct all all;

	for (size_t i = 0; i < COUNT(numbers); i++) {
		set(numbers[i].variable, numbers[i].value);
		load(&all);
		is_int(number_of(&all, numbers[i].variable),
		    numbers[i].expected, "%s=%s", numbers[i].variable,
		    or_unset(numbers[i].value));
	}
	for (size_t i = 0; i < COUNT(texts); i++) {
		set(texts[i].variable, texts[i].value);
		load(&all);
		is_str(or_unset(text_of(&all, texts[i].variable)),
		    or_unset(texts[i].expected), "%s=%s", texts[i].variable,
		    or_unset(texts[i].value));
	}
}

static void
check_errors(void)
{
	struct all all;
	char error[SETTINGS_ERROR_SIZE], name[SETTINGS_NAME_SIZE];

	for (size_t i = 0; i < COUNT(errors); i++) {
		set(errors[i].variable, errors[i].value);
		is_str(load_all(&all, error), errors[i].stops,
		    "%s=%s stops the programs that use it", errors[i].variable,
		    errors[i].value);
		ok(strstr(error, errors[i].variable) != NULL &&
			strstr(error, errors[i].expected) != NULL,
		    "with an error that names it: %s", error);
		settings_get_variable(error, name);
		ok(strncmp(name, "SMTP_", strlen("SMTP_")) == 0 &&
			strncmp(error, name, strlen(name)) == 0,
		    "in its first word, %s", name);
	}
}

static void
both_tls_files_are_taken(void)
{
	struct session_settings settings;
	char error[SETTINGS_ERROR_SIZE];

	set("SMTP_TLS_CERT", "/cert.pem");
	need(setenv("SMTP_TLS_KEY", "/key.pem", 1) == 0);
	is_int(session_settings_load(&settings, error), 0,
	    "SMTP_TLS_CERT and SMTP_TLS_KEY can both be set");
	is_str(or_unset(settings.tls_cert), "/cert.pem", "SMTP_TLS_CERT");
	is_str(or_unset(settings.tls_key), "/key.pem", "SMTP_TLS_KEY");
}

static void
bind_addresses_are_taken(void)
{
	static const struct {
		const char *value;
		bool has_ip4, has_ip6;
	} rows[] = {
		{ NULL, false, false },
		{ "192.0.2.1", true, false },
		{ "2001:db8::1", false, true },
		{ "192.0.2.1 2001:db8::1", true, true },
		{ "2001:db8::1, 192.0.2.1", true, true },
	};
	struct deliver_settings settings;
	char error[SETTINGS_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(rows); i++) {
		set("SMTP_BIND_ADDRESS", rows[i].value);
		need(deliver_settings_load(&settings, error) == 0);
		ok((settings.bind_ip4.sin_family == AF_INET) ==
			    rows[i].has_ip4 &&
			(settings.bind_ip6.sin6_family == AF_INET6) ==
			    rows[i].has_ip6,
		    "SMTP_BIND_ADDRESS=%s", or_unset(rows[i].value));
	}
}

static void
check_keys(void)
{
	struct deliver_settings settings;
	char error[SETTINGS_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(keys); i++) {
		int r;

		set("SMTP_DKIM_SELECTOR", keys[i].selectors);
		need(setenv("SMTP_DKIM_KEY_PATH", keys[i].paths, 1) == 0);
		if (keys[i].domain != NULL)
			need(
			    setenv("SMTP_DKIM_DOMAIN", keys[i].domain, 1) == 0);
		r = deliver_settings_load(&settings, error);
		if (keys[i].error != NULL)
			ok(r == -EINVAL && strstr(error, keys[i].error) != NULL,
			    "invalid keys are reported: %s", error);
		else
			ok(r == 0 && settings.dkim_count == keys[i].expected,
			    "%s and %s are pairs", keys[i].selectors,
			    keys[i].paths);
	}
	set("SMTP_DKIM_SELECTOR", "a,b");
	need(setenv("SMTP_DKIM_KEY_PATH", "/c,d", 1) == 0);
	need(deliver_settings_load(&settings, error) == 0);
	is_str(settings.dkim[0].selector, "a", "the first selector");
	is_str(settings.dkim[0].key_path, "/c", "its file");
	is_str(settings.dkim[1].selector, "b", "the second one");
	is_str(settings.dkim[1].key_path, "d", "its file");
}

static void
host_name_is_the_systems(void)
{
	struct all all;
	char name[SETTINGS_HOSTNAME_SIZE] = "";

	(void)gethostname(name, sizeof(name) - 1);
	set("SMTP_HOSTNAME", NULL);
	load(&all);
	is_str(all.session.hostname, name,
	    "the default of SMTP_HOSTNAME is the system's name");
	is_str(all.deliver.hostname, name, "for all programs");
}

static void
unknown_variables_are_reported(void)
{
	char text[SETTINGS_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(unknown); i++) {
		size_t position = 0;

		set(unknown[i].variable, "x");
		text[0] = '\0';
		(void)settings_next_unknown(&position, text);
		is_str(text, unknown[i].expected, "%.70s", unknown[i].variable);
		ok(!settings_next_unknown(&position, text), "only once");
	}
}

static void
each_unknown_variable_is_reported(void)
{
	char text[SETTINGS_ERROR_SIZE];
	size_t position = 0;
	int count = 0;

	set("SMTP_A", "");
	need(setenv("HOME", "/", 1) == 0);
	need(setenv("SMTP_DEBUG", "1", 1) == 0);
	need(setenv("SMTP_B", "1", 1) == 0);
	while (settings_next_unknown(&position, text))
		count++;
	is_int(count, 2, "two variables of four are unknown");
}

int
main(void)
{
	check_values();
	check_errors();
	both_tls_files_are_taken();
	bind_addresses_are_taken();
	check_keys();
	host_name_is_the_systems();
	unknown_variables_are_reported();
	each_unknown_variable_is_reported();
	return done_testing();
}
