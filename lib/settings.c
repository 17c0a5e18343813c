/* SPDX-License-Identifier: ISC */

/*
 * settings.c - the configuration: SMTP_ variables of the environment.
 *
 * A variable that is unset or empty has its default. One that cannot be
 * understood is an error that names it; nothing is guessed.
 *
 * SMTP_PORT and SMTP_HEALTH_ADDR are not read here: the programs are handed
 * their sockets, so the units' generator applies these two.
 */

#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/settings.h"

#define BANNER_LENGTH_MAX 400
#define GREETING_MAX 500 /* RFC 5321 section 4.5.3.1.5, without the code */

struct number_setting {
	const char *variable;
	int minimum, maximum, initial;
	size_t offset;
};

#define NUMBER(variable, minimum, maximum, initial, member) \
	{                                                   \
		variable, minimum, maximum, initial,        \
		    offsetof(struct settings, member)       \
	}

static const struct number_setting numbers[] = {
	NUMBER("SMTP_QUEUE_WORKERS", 1, SETTINGS_WORKERS_MAX, 20,
	    queue_workers),
	NUMBER("SMTP_DESTINATION_WORKERS", 1, SETTINGS_WORKERS_MAX, 5,
	    destination_workers),
	NUMBER("SMTP_CONNECTION_MESSAGES", 1, 100000, 100, connection_messages),
	NUMBER("SMTP_REMOTE_PORT", 1, 65535, 25, remote_port),
	NUMBER("SMTP_COMMAND_TIMEOUT", 1, 3600, 300, command_timeout_sec),
	NUMBER("SMTP_DATA_TIMEOUT", 1, 3600, 180, data_timeout_sec),
	NUMBER("SMTP_REMOTE_TIMEOUT", 1, 3600, 600, remote_timeout_sec),
	NUMBER("SMTP_MX_HOSTS", 1, 32, 5, mx_hosts),
	NUMBER("SMTP_QUEUE_LIFETIME", 1, 30, 5, queue_lifetime_days),
	NUMBER("SMTP_DELAY_NOTICE", 0, 720, 4, delay_notice_hours),
	NUMBER("SMTP_SESSIONS", 1, SETTINGS_SESSIONS_MAX, 1500, sessions),
	NUMBER("SMTP_SESSIONS_PER_CLIENT", 1, SETTINGS_SESSIONS_MAX, 0,
	    sessions_per_client),
	NUMBER("SMTP_IDLE_TIMEOUT", 1, 86400, 60, idle_timeout_sec),
};

static const char *
get(const char *variable, const char *initial)
{
	const char *value = getenv(variable);

	return value != NULL && *value != '\0' ? value : initial;
}

__attribute__((format(printf, 2, 3))) static int
fail(char ret_error[SETTINGS_ERROR_SIZE], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(ret_error, SETTINGS_ERROR_SIZE, format, args);
	va_end(args);
	/* It is logged: a value is not to forge a line. */
	for (char *p = ret_error; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	return -EINVAL;
}

static int
load_numbers(struct settings *settings, char ret_error[SETTINGS_ERROR_SIZE])
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct number_setting *number = &numbers[i];
		int *slot = (int *)(void *)((char *)settings + number->offset);
		const char *text = get(number->variable, NULL), *problem = NULL;

		*slot = number->initial;
		if (text != NULL)
			*slot = (int)strtonum(text, number->minimum,
			    number->maximum, &problem);
		if (problem != NULL)
			return fail(ret_error,
			    "%s is \"%.64s\"; expected a number from %d to %d",
			    number->variable, text, number->minimum,
			    number->maximum);
	}
	return 0;
}

/* Unless it is said, one client does not take the room of all. */
static void
complete_sessions(struct settings *settings)
{
	if (settings->sessions_per_client == 0)
		settings->sessions_per_client =
		    (settings->sessions * 5 + 5) / 6;
}

static int
load_flag(const char *variable, bool *ret_flag,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *text = get(variable, "0");

	if (strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0)
		*ret_flag = true;
	else if (strcmp(text, "0") == 0 || strcasecmp(text, "false") == 0)
		*ret_flag = false;
	else
		return fail(ret_error,
		    "%s is \"%.64s\"; expected 1, true, 0 or false", variable,
		    text);
	return 0;
}

static int
load_bare_newline(struct settings *settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *text = get("SMTP_BARE_NEWLINE", "reject");

	if (strcmp(text, "reject") == 0)
		settings->bare_newline = BARE_NEWLINE_REJECT;
	else if (strcmp(text, "normalize") == 0)
		settings->bare_newline = BARE_NEWLINE_NORMALIZE;
	else
		return fail(ret_error,
		    "SMTP_BARE_NEWLINE is \"%.64s\"; expected reject or "
		    "normalize",
		    text);
	return 0;
}

static int
load_ip_family(struct settings *settings, char ret_error[SETTINGS_ERROR_SIZE])
{
	static const char *const names[] = {
		[IP_ANY] = "any",
		[IP_V4] = "ipv4",
		[IP_V6] = "ipv6",
		[IP_PREFER_V4] = "prefer-ipv4",
		[IP_PREFER_V6] = "prefer-ipv6",
	};
	const char *text = get("SMTP_IP_FAMILY", names[IP_ANY]);

	for (enum ip_family i = IP_ANY; i <= IP_PREFER_V6; i++) {
		settings->ip_family = i;
		if (strcmp(text, names[i]) == 0)
			return 0;
	}
	return fail(ret_error,
	    "SMTP_IP_FAMILY is \"%.64s\"; expected any, ipv4, ipv6, "
	    "prefer-ipv4 or prefer-ipv6",
	    text);
}

/* Take one address. Returns whether it is one that can be taken. */
static bool
add_bind_address(struct settings *settings, const char *text)
{
	struct sockaddr_in *ip4 = &settings->bind_ip4;
	struct sockaddr_in6 *ip6 = &settings->bind_ip6;

	if (ip4->sin_family == 0 &&
	    inet_pton(AF_INET, text, &ip4->sin_addr) == 1) {
		ip4->sin_family = AF_INET;
		return ip4->sin_addr.s_addr != INADDR_ANY;
	}
	if (ip6->sin6_family == 0 &&
	    inet_pton(AF_INET6, text, &ip6->sin6_addr) == 1) {
		ip6->sin6_family = AF_INET6;
		return !IN6_IS_ADDR_UNSPECIFIED(&ip6->sin6_addr) &&
		    !IN6_IS_ADDR_V4MAPPED(&ip6->sin6_addr);
	}
	return false;
}

static int
load_bind_address(struct settings *settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *text = get("SMTP_BIND_ADDRESS", "");
	char list[2 * INET6_ADDRSTRLEN], *next = list, *word;

	(void)strlcpy(list, text, sizeof(list));
	while ((word = strsep(&next, ", ")) != NULL)
		if (strlen(text) >= sizeof(list) ||
		    (*word != '\0' && !add_bind_address(settings, word)))
			return fail(ret_error,
			    "SMTP_BIND_ADDRESS is \"%.64s\"; expected an IPv4 "
			    "address, an IPv6 address or one of each",
			    text);
	return 0;
}

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

static int
load_hostname(struct settings *settings, char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *text = get("SMTP_HOSTNAME", NULL);

	if (text == NULL) {
		char system_name[SETTINGS_HOSTNAME_SIZE] = "";

		(void)gethostname(system_name, sizeof(system_name) - 1);
		text = is_host_name(system_name) ? system_name : "localhost";
		(void)strlcpy(settings->hostname, text,
		    sizeof(settings->hostname));
		return 0;
	}
	if (!is_host_name(text))
		return fail(ret_error,
		    "SMTP_HOSTNAME is \"%.64s\"; expected a host name", text);
	(void)strlcpy(settings->hostname, text, sizeof(settings->hostname));
	return 0;
}

static int
load_banner(struct settings *settings, char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *text = get("SMTP_BANNER", "smtpserver ready");

	settings->banner = text;
	if (strlen(text) > BANNER_LENGTH_MAX)
		return fail(ret_error,
		    "SMTP_BANNER has %zu octets; expected %d at the most",
		    strlen(text), BANNER_LENGTH_MAX);
	for (const char *p = text; *p != '\0'; p++)
		if (!isprint((unsigned char)*p))
			return fail(ret_error,
			    "SMTP_BANNER holds octet 0x%02x; expected "
			    "printable ASCII",
			    (unsigned char)*p);
	return 0;
}

static int
check_greeting(const struct settings *settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	size_t length = strlen(settings->hostname) + strlen(settings->banner);

	if (length <= GREETING_MAX)
		return 0;
	return fail(ret_error,
	    "SMTP_HOSTNAME and SMTP_BANNER have %zu octets; expected %d at "
	    "the most",
	    length, GREETING_MAX);
}

static int
load_tls(struct settings *settings, char ret_error[SETTINGS_ERROR_SIZE])
{
	settings->tls_cert = get("SMTP_TLS_CERT", NULL);
	settings->tls_key = get("SMTP_TLS_KEY", NULL);
	settings->tls_ca_file = get("SMTP_TLS_CA_FILE", NULL);
	if ((settings->tls_cert == NULL) != (settings->tls_key == NULL))
		return fail(ret_error,
		    "%s is not set; expected SMTP_TLS_CERT and SMTP_TLS_KEY "
		    "both set, or neither",
		    settings->tls_cert == NULL ? "SMTP_TLS_CERT"
					       : "SMTP_TLS_KEY");
	return 0;
}

/* Take the first item off a list that is separated by commas. Returns false if
 * it is too long; the list is NULL behind its last item. */
static bool
take_item(const char **list, char ret_item[SETTINGS_DKIM_SIZE])
{
	size_t length = strcspn(*list, ",");

	if (length >= SETTINGS_DKIM_SIZE)
		return false;
	memcpy(ret_item, *list, length);
	ret_item[length] = '\0';
	*list = (*list)[length] == ',' ? *list + length + 1 : NULL;
	return true;
}

/* A selector, or a domain that mail is signed for (RFC 6376 section 3.1): labels
 * of letters, digits and "-"; some have "_", too. */
static bool
is_dns_name(const char *text)
{
	bool is_label_empty = true;

	if (strlen(text) >= SETTINGS_DKIM_SIZE)
		return false;
	for (; *text != '\0'; text++) {
		if (*text == '.' && is_label_empty)
			return false;
		if (*text != '.' && !isalnum((unsigned char)*text) &&
		    strchr("-_", *text) == NULL)
			return false;
		is_label_empty = *text == '.';
	}
	return !is_label_empty;
}

static int
load_dkim_keys(struct settings *settings, const char *selectors,
    const char *paths, char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *selector = selectors, *path = paths;

	while (selector != NULL && path != NULL) {
		struct settings_dkim *dkim =
		    &settings->dkim[settings->dkim_count];

		if (settings->dkim_count++ == SETTINGS_DKIM_KEYS_MAX)
			break;
		if (!take_item(&selector, dkim->selector) ||
		    !is_dns_name(dkim->selector))
			return fail(ret_error,
			    "SMTP_DKIM_SELECTOR is \"%.64s\"; expected the name "
			    "of a key in the DNS, or two, separated by a comma",
			    selectors);
		if (!take_item(&path, dkim->key_path) ||
		    *dkim->key_path == '\0')
			return fail(ret_error,
			    "SMTP_DKIM_KEY_PATH is \"%.64s\"; expected a file, or "
			    "two, separated by a comma",
			    paths);
	}
	if (selector == NULL && path == NULL)
		return 0;
	return fail(ret_error,
	    "SMTP_DKIM_SELECTOR is \"%.64s\"; expected one for each file of "
	    "SMTP_DKIM_KEY_PATH, and %d at the most",
	    selectors, SETTINGS_DKIM_KEYS_MAX);
}

static int
load_dkim(struct settings *settings, char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *selectors = get("SMTP_DKIM_SELECTOR", NULL);
	const char *paths = get("SMTP_DKIM_KEY_PATH", NULL);

	settings->dkim_domain = get("SMTP_DKIM_DOMAIN", NULL);
	if ((selectors == NULL) != (paths == NULL))
		return fail(ret_error,
		    "%s is not set; expected SMTP_DKIM_SELECTOR and "
		    "SMTP_DKIM_KEY_PATH both set, or neither",
		    selectors == NULL ? "SMTP_DKIM_SELECTOR"
				      : "SMTP_DKIM_KEY_PATH");
	if (settings->dkim_domain != NULL &&
	    (selectors == NULL || !is_dns_name(settings->dkim_domain)))
		return fail(ret_error,
		    "SMTP_DKIM_DOMAIN is \"%.64s\"; expected a domain, and "
		    "SMTP_DKIM_SELECTOR set as well",
		    settings->dkim_domain);
	if (selectors == NULL)
		return 0;
	return load_dkim_keys(settings, selectors, paths, ret_error);
}

int
settings_load(struct settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	int r;

	*ret_settings = (struct settings){
		.queue_path = get("SMTP_QUEUE_PATH", "./data/spool"),
		.relayhost = get("SMTP_RELAYHOST", NULL),
		.masquerade = get("SMTP_MASQUERADE", NULL),
		.routes = get("SMTP_ROUTES", NULL),
		.auth_file = get("SMTP_AUTH_FILE", NULL),
	};
	if ((r = load_numbers(ret_settings, ret_error)) < 0 ||
	    (r = load_flag("SMTP_DEBUG", &ret_settings->is_debug, ret_error)) <
		0 ||
	    (r = load_bare_newline(ret_settings, ret_error)) < 0 ||
	    (r = load_hostname(ret_settings, ret_error)) < 0 ||
	    (r = load_banner(ret_settings, ret_error)) < 0 ||
	    (r = check_greeting(ret_settings, ret_error)) < 0 ||
	    (r = load_ip_family(ret_settings, ret_error)) < 0 ||
	    (r = load_bind_address(ret_settings, ret_error)) < 0 ||
	    (r = load_tls(ret_settings, ret_error)) < 0 ||
	    (r = load_dkim(ret_settings, ret_error)) < 0)
		return r;
	complete_sessions(ret_settings);
	return 0;
}
