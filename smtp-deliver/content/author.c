/* SPDX-License-Identifier: ISC */

/*
 * author.c - the author's domain in a From field (RFC 5322 sections 3.4 and
 * 3.6.2).
 *
 * Implements only the syntax that this needs: comments and white space are left
 * out, quoted strings and encoded words may hold anything. A list or a group is
 * not one author. Pure.
 */

#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "smtp-deliver/content/author.h"
#include "smtp-deliver/content/encoded.h"

#define TEXT_SIZE 1024 /* of an address */

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

/* An address as it is found: that within brackets, or all of the text. */
struct author {
	size_t used;
	bool is_full; /* there was no room for all of it */
	bool has_open, has_close; /* the brackets */
	char text[TEXT_SIZE];
};

/* Take a sign. Returns false if there is more than one address. */
static bool
take(struct author *author, char c)
{
	if (author->has_close)
		return false;
	switch (c) {
	case ',':
	case ':':
	case ';':
		return false;
	case '<':
		/* What came before is a display name, of any length. */
		author->used = 0;
		author->is_full = false;
		if (author->has_open)
			return false;
		author->has_open = true;
		return true;
	case '>':
		author->has_close = true;
		return author->has_open;
	default:
		break;
	}
	if (author->used == TEXT_SIZE - 1)
		author->is_full = true;
	else
		author->text[author->used++] = c;
	return true;
}

/* Find the one address: without comments and white space, and with a letter in
 * place of each quoted string and encoded word. */
static bool
find_address(const char *p, struct author *ret_author)
{
	struct author *author = ret_author;
	const char *end = p + strlen(p);
	size_t length;

	author->used = 0;
	author->is_full = author->has_open = author->has_close = false;
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
		} else if (c == '=' && !author->has_open &&
		    (length = encoded_word_length(p - 1,
			 (size_t)(end - p) + 1)) > 0) {
			p += length - 1;
			c = 'q';
		}
		if (!take(author, c))
			return false;
	}
	author->text[author->used] = '\0';
	return p != NULL && !author->is_full &&
	    author->has_open == author->has_close;
}

int
author_find_domain(const char *body, char ret_domain[ADDRESS_DOMAIN_MAX + 1])
{
	struct author author;
	const char *at;

	if (!find_address(body, &author))
		return -EBADMSG;
	at = strchr(author.text, '@');
	if (at == NULL || at == author.text || strchr(at + 1, '@') != NULL ||
	    at[1] == '[' || !is_domain(at + 1, true) ||
	    strlcpy(ret_domain, at + 1, ADDRESS_DOMAIN_MAX + 1) >
		ADDRESS_DOMAIN_MAX)
		return -EBADMSG;
	return 0;
}
