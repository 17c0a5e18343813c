/* SPDX-License-Identifier: ISC */

/*
 * settings.c - each variable has its default and its values, and one that
 * cannot be understood is named with what was expected.
 */

#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "lib/settings.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X250 X50 X50 X50 X50 X50

/* clang-format off */

/* A variable, its value, and what the setting is then. */
static const struct { const char *variable, *value; int expected; } numbers[] = {
	{ "SMTP_QUEUE_WORKERS", NULL, 20 },
	{ "SMTP_QUEUE_WORKERS", "", 20 },
	{ "SMTP_QUEUE_WORKERS", "1", 1 },
	{ "SMTP_QUEUE_WORKERS", "1000", 1000 },
	{ "SMTP_REMOTE_PORT", NULL, 25 },
	{ "SMTP_REMOTE_PORT", "65535", 65535 },
	{ "SMTP_MX_HOSTS", NULL, 5 },
	{ "SMTP_MX_HOSTS", "32", 32 },
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
	{ "SMTP_SESSIONS", NULL, 1500 },
	{ "SMTP_SESSIONS", "10000", 10000 },
	{ "SMTP_SESSIONS_PER_CLIENT", NULL, 1250 },
	{ "SMTP_SESSIONS_PER_CLIENT", "1", 1 },
	{ "SMTP_IDLE_TIMEOUT", NULL, 60 },
	{ "SMTP_IDLE_TIMEOUT", "86400", 86400 },
	{ "SMTP_DEBUG", NULL, false },
	{ "SMTP_DEBUG", "", false },
	{ "SMTP_DEBUG", "0", false },
	{ "SMTP_DEBUG", "false", false },
	{ "SMTP_DEBUG", "1", true },
	{ "SMTP_DEBUG", "true", true },
	{ "SMTP_DEBUG", "True", true },
	{ "SMTP_BARE_NEWLINE", NULL, BARE_NEWLINE_REJECT },
	{ "SMTP_BARE_NEWLINE", "reject", BARE_NEWLINE_REJECT },
	{ "SMTP_BARE_NEWLINE", "normalize", BARE_NEWLINE_NORMALIZE },
};

static const struct { const char *variable, *value, *expected; } texts[] = {
	{ "SMTP_HOSTNAME", "mail.example.org", "mail.example.org" },
	{ "SMTP_HOSTNAME", "[192.0.2.1]", "[192.0.2.1]" },
	{ "SMTP_HOSTNAME", "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]" },
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

/* A variable, its value, and what the message has to say besides its name. */
static const struct { const char *variable, *value, *expected; } errors[] = {
	{ "SMTP_DESTINATION_WORKERS", "0", "\"0\"; expected a number from 1 to 1000" },
	{ "SMTP_CONNECTION_MESSAGES", "0",
	    "\"0\"; expected a number from 1 to 100000" },
	{ "SMTP_QUEUE_WORKERS", "0", "\"0\"; expected a number from 1 to 1000" },
	{ "SMTP_QUEUE_WORKERS", "1001", "from 1 to 1000" },
	{ "SMTP_QUEUE_WORKERS", "-1", "from 1 to 1000" },
	{ "SMTP_QUEUE_WORKERS", "many", "\"many\"" },
	{ "SMTP_QUEUE_WORKERS", "1x", "\"1x\"" },
	{ "SMTP_QUEUE_WORKERS", "99999999999999999999", "from 1 to 1000" },
	{ "SMTP_REMOTE_PORT", "0", "from 1 to 65535" },
	{ "SMTP_REMOTE_PORT", "65536", "from 1 to 65535" },
	{ "SMTP_REMOTE_PORT", "smtp", "\"smtp\"" },
	{ "SMTP_MX_HOSTS", "0", "from 1 to 32" },
	{ "SMTP_IP_FAMILY", "IPv4", "expected any, ipv4, ipv6, prefer-ipv4 or" },
	{ "SMTP_BIND_ADDRESS", "eth0", "\"eth0\"; expected an IPv4 address" },
	{ "SMTP_BIND_ADDRESS", "192.0.2.1 192.0.2.2", "or one of each" },
	{ "SMTP_BIND_ADDRESS", "2001:db8::1,2001:db8::2", "or one of each" },
	{ "SMTP_BIND_ADDRESS", "192.0.2.1 2001:db8::1 x", "or one of each" },
	{ "SMTP_BIND_ADDRESS", "0.0.0.0", "\"0.0.0.0\"" },
	{ "SMTP_BIND_ADDRESS", "::", "\"::\"" },
	{ "SMTP_BIND_ADDRESS", "::ffff:192.0.2.1", "or one of each" },
	{ "SMTP_BIND_ADDRESS", "[192.0.2.1]", "\"[192.0.2.1]\"" },
	{ "SMTP_BIND_ADDRESS", X250, "one of each" },
	{ "SMTP_COMMAND_TIMEOUT", "0", "from 1 to 3600" },
	{ "SMTP_DATA_TIMEOUT", "3601", "from 1 to 3600" },
	{ "SMTP_REMOTE_TIMEOUT", "5 min", "from 1 to 3600" },
	{ "SMTP_SESSIONS", "10001", "from 1 to 10000" },
	{ "SMTP_SESSIONS_PER_CLIENT", "0", "from 1 to 10000" },
	{ "SMTP_IDLE_TIMEOUT", "0", "from 1 to 86400" },
	{ "SMTP_QUEUE_LIFETIME", "0", "from 1 to 30" },
	{ "SMTP_DELAY_NOTICE", "4h", "\"4h\"; expected a number from 0 to 720" },
	{ "SMTP_DEBUG", "yes", "\"yes\"; expected 1, true, 0 or false" },
	{ "SMTP_DEBUG", "\x1b[2J\x7f", "\"?[2J?\"; expected 1, true, 0 or false" },
	{ "SMTP_DEBUG", "2", "expected 1, true, 0 or false" },
	{ "SMTP_BARE_NEWLINE", "accept", "\"accept\"; expected reject or normalize" },
	{ "SMTP_BARE_NEWLINE", "Reject", "expected reject or normalize" },
	{ "SMTP_HOSTNAME", "two words", "\"two words\"; expected a host name" },
	{ "SMTP_HOSTNAME", "a\r\nb", "\"a??b\"; expected a host name" },
	{ "SMTP_HOSTNAME", "b\xc3\xbc.example", "expected a host name" },
	{ "SMTP_HOSTNAME", X250 X10, "expected a host name" },
	{ "SMTP_BANNER", "a\r\n250 b", "octet 0x0d; expected printable ASCII" },
	{ "SMTP_BANNER", "gr\xc3\xbc\xc3\x9f", "octet 0xc3; expected printable ASCII" },
	{ "SMTP_BANNER", X250 X50 X50 X50 "x", "401 octets; expected 400 at the most" },
	{ "SMTP_TLS_CERT", "/cert.pem", "SMTP_TLS_KEY is not set; expected SMTP_TLS_CERT and SMTP_TLS_KEY both" },
	{ "SMTP_TLS_KEY", "/key.pem", "SMTP_TLS_CERT is not set" },
	{ "SMTP_DKIM_SELECTOR", "a", "SMTP_DKIM_KEY_PATH is not set; expected SMTP_DKIM_SELECTOR and" },
	{ "SMTP_DKIM_KEY_PATH", "/key.pem", "SMTP_DKIM_SELECTOR is not set" },
	{ "SMTP_DKIM_DOMAIN", "example.org", "\"example.org\"; expected a domain, and SMTP_DKIM_SELECTOR set" },
};

/* Selectors and files; how many pairs they are, or what is wrong with them. */
static const struct { const char *selectors, *paths, *domain; size_t expected; const char *error; } keys[] = {
	{ "a", "/a.pem", NULL, 1, NULL },
	{ "2026-a.mail", "credential", "example.org", 1, NULL },
	{ "a,b_c", "/a.pem,/b.pem", "sub.example.org", 2, NULL },
	{ "a,b", "/a.pem", NULL, 0, "SMTP_DKIM_SELECTOR is \"a,b\"; expected one for each" },
	{ "a", "/a.pem,/b.pem", NULL, 0, "expected one for each" },
	{ "a,b,c", "/a,/b,/c", NULL, 0, "2 at the most" },
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
/* clang-format on */

static void
set(const char *variable, const char *value)
{
	need(clearenv() == 0);
	if (value != NULL)
		need(setenv(variable, value, 1) == 0);
}

static int
number_of(const struct settings *settings, const char *variable)
{
	if (strcmp(variable, "SMTP_QUEUE_WORKERS") == 0)
		return settings->queue_workers;
	if (strcmp(variable, "SMTP_REMOTE_PORT") == 0)
		return settings->remote_port;
	if (strcmp(variable, "SMTP_MX_HOSTS") == 0)
		return settings->mx_hosts;
	if (strcmp(variable, "SMTP_IP_FAMILY") == 0)
		return (int)settings->ip_family;
	if (strcmp(variable, "SMTP_COMMAND_TIMEOUT") == 0)
		return settings->command_timeout_sec;
	if (strcmp(variable, "SMTP_DATA_TIMEOUT") == 0)
		return settings->data_timeout_sec;
	if (strcmp(variable, "SMTP_REMOTE_TIMEOUT") == 0)
		return settings->remote_timeout_sec;
	if (strcmp(variable, "SMTP_SESSIONS") == 0)
		return settings->sessions;
	if (strcmp(variable, "SMTP_SESSIONS_PER_CLIENT") == 0)
		return settings->sessions_per_client;
	if (strcmp(variable, "SMTP_QUEUE_LIFETIME") == 0)
		return settings->queue_lifetime_days;
	if (strcmp(variable, "SMTP_DELAY_NOTICE") == 0)
		return settings->delay_notice_hours;
	if (strcmp(variable, "SMTP_IDLE_TIMEOUT") == 0)
		return settings->idle_timeout_sec;
	if (strcmp(variable, "SMTP_DEBUG") == 0)
		return settings->is_debug;
	return (int)settings->bare_newline;
}

static const char *
text_of(const struct settings *settings, const char *variable)
{
	if (strcmp(variable, "SMTP_HOSTNAME") == 0)
		return settings->hostname;
	if (strcmp(variable, "SMTP_BANNER") == 0)
		return settings->banner;
	if (strcmp(variable, "SMTP_QUEUE_PATH") == 0)
		return settings->queue_path;
	if (strcmp(variable, "SMTP_TLS_CA_FILE") == 0)
		return settings->tls_ca_file;
	if (strcmp(variable, "SMTP_TLS_CERT") == 0)
		return settings->tls_cert;
	if (strcmp(variable, "SMTP_DKIM_DOMAIN") == 0)
		return settings->dkim_domain;
	return settings->tls_key;
}

static const char *
or_unset(const char *text)
{
	return text != NULL ? text : "(unset)";
}

static void
check_values(void)
{
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(numbers); i++) {
		set(numbers[i].variable, numbers[i].value);
		need(settings_load(&settings, error) == 0);
		is_int(number_of(&settings, numbers[i].variable),
		    numbers[i].expected, "%s=%s", numbers[i].variable,
		    or_unset(numbers[i].value));
	}
	for (size_t i = 0; i < COUNT(texts); i++) {
		set(texts[i].variable, texts[i].value);
		need(settings_load(&settings, error) == 0);
		is_str(or_unset(text_of(&settings, texts[i].variable)),
		    or_unset(texts[i].expected), "%s=%s", texts[i].variable,
		    or_unset(texts[i].value));
	}
}

static void
check_errors(void)
{
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(errors); i++) {
		set(errors[i].variable, errors[i].value);
		error[0] = '\0';
		is_int(settings_load(&settings, error), -EINVAL,
		    "%s=%s is an error", errors[i].variable, errors[i].value);
		ok(strstr(error, errors[i].variable) != NULL &&
			strstr(error, errors[i].expected) != NULL,
		    "and is named: %s", error);
	}
}

static void
both_tls_files_are_taken(void)
{
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];

	set("SMTP_TLS_CERT", "/cert.pem");
	need(setenv("SMTP_TLS_KEY", "/key.pem", 1) == 0);
	is_int(settings_load(&settings, error), 0,
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
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(rows); i++) {
		set("SMTP_BIND_ADDRESS", rows[i].value);
		need(settings_load(&settings, error) == 0);
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
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];

	for (size_t i = 0; i < COUNT(keys); i++) {
		int r;

		set("SMTP_DKIM_SELECTOR", keys[i].selectors);
		need(setenv("SMTP_DKIM_KEY_PATH", keys[i].paths, 1) == 0);
		if (keys[i].domain != NULL)
			need(
			    setenv("SMTP_DKIM_DOMAIN", keys[i].domain, 1) == 0);
		r = settings_load(&settings, error);
		if (keys[i].error != NULL)
			ok(r == -EINVAL && strstr(error, keys[i].error) != NULL,
			    "wrong keys are named: %s", error);
		else
			ok(r == 0 && settings.dkim_count == keys[i].expected,
			    "%s and %s are pairs", keys[i].selectors,
			    keys[i].paths);
	}
	set("SMTP_DKIM_SELECTOR", "a,b");
	need(setenv("SMTP_DKIM_KEY_PATH", "/c,d", 1) == 0);
	need(settings_load(&settings, error) == 0);
	is_str(settings.dkim[0].selector, "a", "the first selector");
	is_str(settings.dkim[0].key_path, "/c", "its file");
	is_str(settings.dkim[1].selector, "b", "the second one");
	is_str(settings.dkim[1].key_path, "d", "its file");
}

static void
host_name_is_the_systems(void)
{
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE], name[SETTINGS_HOSTNAME_SIZE] = "";

	(void)gethostname(name, sizeof(name) - 1);
	set("SMTP_HOSTNAME", NULL);
	need(settings_load(&settings, error) == 0);
	is_str(settings.hostname, name, "SMTP_HOSTNAME unset: the system's");
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
	return done_testing();
}
