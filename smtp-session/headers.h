/* SPDX-License-Identifier: ISC */

#ifndef HEADERS_H
#define HEADERS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/fields.h"

/* Octets of the message, on their way to where it is stored. Returns 0 or a
 * negative errno. */
typedef int headers_write(void *context, const void *data, size_t size_bytes);

/* An address in quotes, or MAILER-DAEMON at a host. */
#define HEADERS_FROM_SIZE 400

/* Octets of lines that are held until the next one decides about them. */
#define HEADERS_HELD_MAX 998

struct headers {
	headers_write *write;
	void *context;
	const char *from; /* bodies of the fields to add */
	const char *date;
	const char *message_id;
	struct fields fields;
	bool is_over; /* the header section is */
	bool is_removing; /* the field that is being read */
	bool is_in_mbox_line; /* which is held */
	size_t held_length;
	char held[HEADERS_HELD_MAX]; /* mbox lines before the header */
	bool has_from;
	bool has_date;
	bool has_message_id;
	unsigned received; /* how many Received fields there are */
};

/*
 * Get ready to pass a message through.
 *
 * write, context		take what comes out.
 * from, date, message_id	the bodies of the fields to add, if the message
 *				lacks them. They stay the caller's.
 */
void headers_start(struct headers *headers, headers_write *write, void *context,
    const char *from, const char *date, const char *message_id);

/* Pass octets of the message on, whose lines end in CRLF; tell that it has
 * ended. Return 0, or what write() returned. */
int headers_pass(struct headers *headers, const char *text, size_t length);
int headers_end(struct headers *headers);

/*
 * Write the body of a From field for a message that has none.
 *
 * sender	of the envelope, "" for the null one: then the field names
 *		MAILER-DAEMON at hostname.
 */
void headers_format_from(const char *sender, const char *hostname,
    char ret_from[HEADERS_FROM_SIZE]);

#endif
