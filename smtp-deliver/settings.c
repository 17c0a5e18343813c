/* SPDX-License-Identifier: ISC */

/*
 * settings.c - the variables that smtp-deliver uses.
 *
 * Does not open the files that they name, and does not parse relays and other
 * names of senders: relays.c, rules.c, masquerade.c, dkim.c and credentials.c
 * do.
 */

#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "lib/spool/envelope.h"
#include "smtp-deliver/settings.h"

static const char *const ip_family_names[] = {
	[IP_ANY] = "any",
	[IP_V4] = "ipv4",
	[IP_V6] = "ipv6",
	[IP_PREFER_V4] = "prefer-ipv4",
	[IP_PREFER_V6] = "prefer-ipv6",
	NULL,
};

#define AT(member) offsetof(struct deliver_settings, member)

static const struct setting table[] = {
	{ "SMTP_QUEUE_PATH", SETTING_TEXT, AT(queue_path),
	    SETTINGS_QUEUE_PATH },
	{ "SMTP_QUEUE_KEY_PATH", SETTING_TEXT, AT(queue_key_path) },
	{ "SMTP_TLS_CA_FILE", SETTING_TEXT, AT(tls_ca_file) },
	{ "SMTP_DKIM_DOMAIN", SETTING_TEXT, AT(dkim_domain) },
	{ "SMTP_RELAYHOST", SETTING_TEXT, AT(relayhost) },
	{ "SMTP_MASQUERADE", SETTING_TEXT, AT(masquerade) },
	{ "SMTP_ROUTES", SETTING_TEXT, AT(routes) },
	{ "SMTP_AUTH_FILE", SETTING_TEXT, AT(auth_file) },
	{ "SMTP_DEBUG", SETTING_FLAG, AT(is_debug), "0" },
	{ "SMTP_FREE_SPACE", SETTING_NUMBER, AT(free_space_mib),
	    SETTINGS_FREE_SPACE, 1, SETTINGS_FREE_SPACE_MAX },
	{ "SMTP_QUEUE_WORKERS", SETTING_NUMBER, AT(queue_workers), "20", 1,
	    SETTINGS_WORKERS_MAX },
	{ "SMTP_DESTINATION_WORKERS", SETTING_NUMBER, AT(destination_workers),
	    "5", 1, SETTINGS_WORKERS_MAX },
	{ "SMTP_DESTINATION_RECIPIENTS", SETTING_NUMBER,
	    AT(destination_recipients), "100", 1, ENVELOPE_RECIPIENTS_MAX },
	{ "SMTP_CONNECTION_MESSAGES", SETTING_NUMBER, AT(connection_messages),
	    "100", 1, 100000 },
	{ "SMTP_REMOTE_PORT", SETTING_NUMBER, AT(remote_port), "25", 1, 65535 },
	{ "SMTP_MX_HOSTS", SETTING_NUMBER, AT(mx_hosts), "5", 1, 32 },
	{ "SMTP_PRIVATE_HOSTS", SETTING_FLAG, AT(is_private_allowed), "1" },
	{ "SMTP_IP_FAMILY", SETTING_CHOICE, AT(ip_family),
	    .names = ip_family_names },
	{ "SMTP_REMOTE_TIMEOUT", SETTING_NUMBER, AT(remote_timeout_sec), "600",
	    1, 3600 },
	{ "SMTP_QUEUE_LIFETIME", SETTING_NUMBER, AT(queue_lifetime_days), "5",
	    1, 30 },
	{ "SMTP_DELAY_NOTICE", SETTING_NUMBER, AT(delay_notice_hours), "4", 0,
	    720 },
};

/* ---- the address that connections come from ------------------------------ */

/* Take one address. Returns false if it cannot be bound to, or is a second one
 * of its family. */
static bool
add_bind_address(struct deliver_settings *settings, const char *text)
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
read_bind_address(struct deliver_settings *settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *text = settings_get("SMTP_BIND_ADDRESS", "");
	char list[2 * INET6_ADDRSTRLEN], *next = list, *word;

	(void)strlcpy(list, text, sizeof(list));
	while ((word = strsep(&next, ", ")) != NULL)
		if (strlen(text) >= sizeof(list) ||
		    (*word != '\0' && !add_bind_address(settings, word)))
			return settings_fail(ret_error,
			    "SMTP_BIND_ADDRESS is \"%.64s\"; expected an IPv4 "
			    "address, an IPv6 address or one of each",
			    text);
	return 0;
}

/* ---- DKIM ---------------------------------------------------------------- */

/* Take the first item off a list that is separated by commas. Returns false if
 * it is too long; the list is NULL after its last item. */
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

/* A selector, or a domain that mail is signed for (RFC 6376 section 3.1):
 * labels of letters, digits and "-"; "_" also occurs in practice. */
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
read_dkim_keys(struct deliver_settings *settings, const char *selectors,
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
			return settings_fail(ret_error,
			    "SMTP_DKIM_SELECTOR is \"%.64s\"; expected the "
			    "name of a key in the DNS, or two, separated by a "
			    "comma",
			    selectors);
		if (!take_item(&path, dkim->key_path) ||
		    *dkim->key_path == '\0')
			return settings_fail(ret_error,
			    "SMTP_DKIM_KEY_PATH is \"%.64s\"; expected a file, "
			    "or two, separated by a comma",
			    paths);
	}
	if (selector == NULL && path == NULL)
		return 0;
	return settings_fail(ret_error,
	    "SMTP_DKIM_SELECTOR is \"%.64s\"; expected one for each file of "
	    "SMTP_DKIM_KEY_PATH, at most %d",
	    selectors, SETTINGS_DKIM_KEYS_MAX);
}

static int
read_dkim(struct deliver_settings *settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	const char *selectors = settings_get("SMTP_DKIM_SELECTOR", NULL);
	const char *paths = settings_get("SMTP_DKIM_KEY_PATH", NULL);

	if ((selectors == NULL) != (paths == NULL))
		return settings_fail(ret_error,
		    "%s is not set; expected SMTP_DKIM_SELECTOR and "
		    "SMTP_DKIM_KEY_PATH both set, or neither",
		    selectors == NULL ? "SMTP_DKIM_SELECTOR"
				      : "SMTP_DKIM_KEY_PATH");
	if (settings->dkim_domain != NULL &&
	    (selectors == NULL || !is_dns_name(settings->dkim_domain)))
		return settings_fail(ret_error,
		    "SMTP_DKIM_DOMAIN is \"%.64s\"; expected a domain, and "
		    "SMTP_DKIM_SELECTOR set as well",
		    settings->dkim_domain);
	if (selectors == NULL)
		return 0;
	return read_dkim_keys(settings, selectors, paths, ret_error);
}

int
deliver_settings_load(struct deliver_settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	int r;

	*ret_settings = (struct deliver_settings){ .queue_path = NULL };
	if ((r = settings_read(table, sizeof(table) / sizeof(table[0]),
		 ret_settings, ret_error)) < 0 ||
	    (r = settings_read_hostname("SMTP_HOSTNAME", ret_settings->hostname,
		 ret_error)) < 0 ||
	    (r = read_bind_address(ret_settings, ret_error)) < 0)
		return r;
	return read_dkim(ret_settings, ret_error);
}
