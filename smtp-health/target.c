/* SPDX-License-Identifier: ISC */

/*
 * target.c - which host and which path a request is for (RFC 9112 sections 3.2
 * and 3.3, RFC 9110 section 7.2). Pure.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "lib/ip.h"
#include "smtp-health/target.h"

#define SCHEME "http://"

const char *
target_split(const char *target, char ret_authority[TARGET_AUTHORITY_SIZE])
{
	size_t length;

	*ret_authority = '\0';
	if (strncasecmp(target, SCHEME, strlen(SCHEME)) != 0)
		return target;
	target += strlen(SCHEME);
	length = strcspn(target, "/");
	(void)strlcpy(ret_authority, target,
	    length < TARGET_AUTHORITY_SIZE ? length + 1
					   : TARGET_AUTHORITY_SIZE);
	return target[length] == '\0' ? "/" : target + length;
}

/* Remove ":port", which may lack its digits. Returns false if it is none. */
static bool
cut_port(char *authority)
{
	char *colon = strrchr(authority, ':');

	if (colon == NULL || strchr(colon, ']') != NULL)
		return true;
	*colon = '\0';
	return colon[1 + strspn(colon + 1, "0123456789")] == '\0';
}

/* "[IPv6 address]" */
static bool
is_bracketed_ip(char *host)
{
	size_t length = strlen(host);

	if (length < 2 || host[0] != '[' || host[length - 1] != ']')
		return false;
	host[length - 1] = '\0';
	return strchr(host, ':') != NULL && is_ip(host + 1);
}

/* The dot at the end of a name is the DNS's root. */
static bool
is_name(const char *host, const char *name)
{
	size_t length = strlen(name);

	return strncasecmp(host, name, length) == 0 &&
	    (host[length] == '\0' || strcmp(host + length, ".") == 0);
}

bool
target_is_ours(const char *authority, const char *const names[])
{
	char host[TARGET_AUTHORITY_SIZE];

	if (strlcpy(host, authority, sizeof(host)) >= sizeof(host) ||
	    !cut_port(host) || *host == '\0')
		return false;
	if (*host == '[')
		return is_bracketed_ip(host);
	for (size_t i = 0; names[i] != NULL; i++)
		if (is_name(host, names[i]))
			return true;
	return is_ip(host) || is_name(host, "localhost");
}
