/* SPDX-License-Identifier: ISC */

#ifndef HEADERS_H
#define HEADERS_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 5322 section 2.1.1: no line of a header is longer, so no name is. */
#define HEADERS_NAME_MAX 78

enum headers_state {
	HEADERS_AT_LINE, /* whether this line is a field is not known yet */
	HEADERS_IN_LINE, /* it is one, or goes on with one */
	HEADERS_DONE, /* the header section has ended */
};

/* Octets of the message, on their way to where it is stored. Returns 0 or a
 * negative errno. */
typedef int headers_write(void *context, const void *data, size_t size_bytes);

struct headers {
	headers_write *write;
	void *context;
	const char *date; /* what to add where there is none */
	const char *message_id;
	enum headers_state state;
	bool is_first_line;
	bool has_date;
	bool has_message_id;
	unsigned received; /* how many Received fields there are */
	size_t used;
	char start[HEADERS_NAME_MAX + 1]; /* of a line that is AT_LINE */
};

/*
 * Get ready to pass a message through.
 *
 * write, context	take what comes out.
 * date, message_id	the bodies of the fields to add, if the message lacks
 *			them. They stay the caller's.
 */
void headers_start(struct headers *headers, headers_write *write, void *context,
    const char *date, const char *message_id);

/* Pass octets of the message on, whose lines end in CRLF; say that it has
 * ended. Return 0, or what write() returned. */
int headers_pass(struct headers *headers, const char *text, size_t length);
int headers_end(struct headers *headers);

#endif
