/* SPDX-License-Identifier: ISC */

/*
 * tlshello.c - the names for a server in a client's hello.
 *
 * A server with one certificate needs no name, but GnuTLS ends the handshake
 * for a name with an underscore or a blank, as hosts on local networks have
 * them. Pure.
 */

#include "config.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "lib/tlshello.h"

#define FIXED_SIZE 34 /* version and random */
#define SERVER_NAME 0 /* the extension */

/* Octets that are still to be read. */
struct reader {
	unsigned char *p;
	size_t left;
};

static bool
take(struct reader *reader, size_t size, struct reader *ret_part)
{
	if (reader->left < size)
		return false;
	*ret_part = (struct reader){ reader->p, size };
	reader->p += size;
	reader->left -= size;
	return true;
}

static bool
take_number(struct reader *reader, size_t octets, size_t *ret_number)
{
	struct reader part;

	if (!take(reader, octets, &part))
		return false;
	*ret_number = 0;
	for (size_t i = 0; i < octets; i++)
		*ret_number = *ret_number << 8 | part.p[i];
	return true;
}

/* A vector: its size in so many octets, and its contents. */
static bool
take_vector(struct reader *reader, size_t octets, struct reader *ret_part)
{
	size_t size;

	return take_number(reader, octets, &size) &&
	    take(reader, size, ret_part);
}

static bool
is_plain(unsigned char c)
{
	return isalnum(c) || c == '-' || c == '.';
}

/* Find odd octets in the names of the extension, and change them if asked. */
static bool
visit_names(struct reader extension, bool is_to_change)
{
	struct reader names, name;
	size_t type;
	bool is_odd = false;

	if (!take_vector(&extension, 2, &names))
		return false;
	while (take_number(&names, 1, &type) && take_vector(&names, 2, &name))
		for (size_t i = 0; i < name.left; i++)
			if (!is_plain(name.p[i])) {
				is_odd = true;
				if (is_to_change)
					name.p[i] = 'x';
			}
	return is_odd;
}

static bool
visit_hello(struct reader hello, bool is_to_change)
{
	struct reader extensions, part;
	size_t type;
	bool is_odd = false;

	if (!take(&hello, FIXED_SIZE, &part) ||
	    !take_vector(&hello, 1, &part) /* session id */ ||
	    !take_vector(&hello, 2, &part) /* cipher suites */ ||
	    !take_vector(&hello, 1, &part) /* compression methods */ ||
	    !take_vector(&hello, 2, &extensions))
		return false;
	while (take_number(&extensions, 2, &type) &&
	    take_vector(&extensions, 2, &part))
		if (type == SERVER_NAME && visit_names(part, is_to_change))
			is_odd = true;
	return is_odd;
}

bool
tlshello_has_odd_names(unsigned char *hello, size_t size_bytes)
{
	struct reader reader = { hello, size_bytes };

	return visit_hello(reader, false);
}

void
tlshello_tame_names(unsigned char *hello, size_t size_bytes)
{
	struct reader reader = { hello, size_bytes };

	(void)visit_hello(reader, true);
}
