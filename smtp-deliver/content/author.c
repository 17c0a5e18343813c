/* SPDX-License-Identifier: ISC */

/*
 * author.c - the author's domain in a From field (RFC 5322 sections 3.4 and
 * 3.6.2).
 *
 * Implements only the syntax that this needs: comments and white space are left
 * out, quoted strings may hold anything. A list or a group is not one author.
 * Pure.
 */

#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "smtp-deliver/content/author.h"

#define TEXT_SIZE 1024

/* The end of a quoted string whose '"' was taken; NULL if it has none. */
static const char *
skip_quoted(const char *p)
{
	for (; *p != '\0' && *p != '"'; p++)
		if (*p == '\\' && p[1] != '\0')
			p++;
	return *p == '"' ? p + 1 : NULL;
}

/* The end of a comment whose '(' was taken. Comments nest. */
static const char *
skip_comment(const char *p)
{
	for (unsigned depth = 1; *p != '\0'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return NULL;
}

/* Write the text without comments and white space, and with a letter in place
 * of each quoted string. */
static bool
simplify(const char *p, char ret_text[TEXT_SIZE])
{
	size_t used = 0;

	while (p != NULL && *p != '\0') {
		char c = *p++;

		if (c == ' ' || c == '\t')
			continue;
		if (c == '(') {
			p = skip_comment(p);
			continue;
		}
		if (c == '"') {
			p = skip_quoted(p);
			c = 'q';
		}
		if (used == TEXT_SIZE - 1)
			return false;
		ret_text[used++] = c;
	}
	ret_text[used] = '\0';
	return p != NULL;
}

/* The address within its brackets, or that without any; NULL if there is more
 * than one. */
static char *
find_address(char *text)
{
	char *open = strchr(text, '<'), *close = strchr(text, '>');

	if (text[strcspn(text, ",:;")] != '\0')
		return NULL;
	if (open == NULL && close == NULL)
		return text;
	if (open == NULL || close == NULL || close < open || close[1] != '\0')
		return NULL;
	*close = '\0';
	return strchr(open + 1, '<') == NULL ? open + 1 : NULL;
}

int
author_find_domain(const char *body, char ret_domain[ADDRESS_DOMAIN_MAX + 1])
{
	char text[TEXT_SIZE], *address, *at;

	if (!simplify(body, text) || (address = find_address(text)) == NULL)
		return -EBADMSG;
	at = strchr(address, '@');
	if (at == NULL || at == address || strchr(at + 1, '@') != NULL ||
	    at[1] == '[' || !is_domain(at + 1, true) ||
	    strlcpy(ret_domain, at + 1, ADDRESS_DOMAIN_MAX + 1) >
		ADDRESS_DOMAIN_MAX)
		return -EBADMSG;
	return 0;
}
