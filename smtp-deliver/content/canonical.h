/* SPDX-License-Identifier: ISC */

#ifndef CANONICAL_H
#define CANONICAL_H

#include <stdbool.h>
#include <stddef.h>

#define CANONICAL_BUFFER_SIZE 4096

/* What comes out, in pieces. */
typedef void canonical_write(void *context, const void *data, size_t size);

/* Text on its way through. */
struct canonical {
	canonical_write *write;
	void *context;
	bool has_cr; /* a CR whose LF may follow */
	bool has_space; /* white space that has not come out yet */
	bool is_in_body; /* of a field: the colon has been seen */
	bool is_any; /* something has come out; of a field: after the colon */
	size_t line_ends; /* those that have not come out yet */
	size_t used;
	char buffer[CANONICAL_BUFFER_SIZE];
};

void canonical_start(struct canonical *canonical, canonical_write *write,
    void *context);

/*
 * Canonicalise the body of a message, "relaxed" (RFC 6376 section 3.4.4): white
 * space becomes one space, and is dropped at the end of a line; empty lines at
 * the end are dropped. An empty body stays empty, any other ends in CRLF. The
 * pieces may be of any size.
 */
void canonical_add_body(struct canonical *canonical, const char *text,
    size_t length);
void canonical_end_body(struct canonical *canonical);

/*
 * Canonicalise one field of a header, "relaxed" (section 3.4.2): its name in
 * lower case, unfolded, white space as above and none around the colon. The
 * CRLF at its end is optional in the input and absent from the output.
 */
void canonical_add_field(struct canonical *canonical, const char *text,
    size_t length);
void canonical_end_field(struct canonical *canonical);

#endif
