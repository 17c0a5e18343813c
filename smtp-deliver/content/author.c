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
struct mailbox {
	size_t used;
	bool is_full; /* there was no room for all of it */
	bool has_open, has_close; /* the brackets */
	char text[TEXT_SIZE];
};

/* Take a sign. Returns false if there is more than one address. */
static bool
take(struct mailbox *mailbox, char c)
{
	if (mailbox->has_close)
		return false;
	switch (c) {
	case ',':
	case ':':
	case ';':
		return false;
	case '<':
		/* What came before is a display name, of any length. */
		mailbox->used = 0;
		mailbox->is_full = false;
		if (mailbox->has_open)
			return false;
		mailbox->has_open = true;
		return true;
	case '>':
		mailbox->has_close = true;
		return mailbox->has_open;
	default:
		break;
	}
	if (mailbox->used == TEXT_SIZE - 1)
		mailbox->is_full = true;
	else
		mailbox->text[mailbox->used++] = c;
	return true;
}

/* Find the one address: without comments and white space, and with a letter in
 * place of each quoted string and encoded word. */
static bool
find_address(const char *p, struct mailbox *ret_mailbox)
{
	struct mailbox *mailbox = ret_mailbox;
	const char *end = p + strlen(p);
	size_t length;

	mailbox->used = 0;
	mailbox->is_full = mailbox->has_open = mailbox->has_close = false;
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
		} else if (c == '=' && !mailbox->has_open &&
		    (length = encoded_word_length(p - 1,
			 (size_t)(end - p) + 1)) > 0) {
			p += length - 1;
			c = 'q';
		}
		if (!take(mailbox, c))
			return false;
	}
	mailbox->text[mailbox->used] = '\0';
	return p != NULL && !mailbox->is_full &&
	    mailbox->has_open == mailbox->has_close;
}

int
author_find_domain(const char *body, char ret_domain[ADDRESS_DOMAIN_MAX + 1])
{
	struct mailbox mailbox;
	const char *at;

	if (!find_address(body, &mailbox))
		return -EBADMSG;
	at = strchr(mailbox.text, '@');
	if (at == NULL || at == mailbox.text || strchr(at + 1, '@') != NULL ||
	    at[1] == '[' || !is_domain(at + 1, true) ||
	    strlcpy(ret_domain, at + 1, ADDRESS_DOMAIN_MAX + 1) >
		ADDRESS_DOMAIN_MAX)
		return -EBADMSG;
	return 0;
}
