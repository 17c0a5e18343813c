/* SPDX-License-Identifier: ISC */

#ifndef FIELDS_H
#define FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 5322 section 2.1.1: a line must have no more octets, so a field's name
 * with its colon must not. */
#define FIELDS_START_MAX 998

enum fields_event {
	FIELDS_MORE, /* all octets are taken, and the header goes on */
	FIELDS_NAME, /* a field begins: its name and the colon were taken */
	FIELDS_TEXT, /* octets of the field were taken, up to a line's end or
		      * the end of the input; folded lines are part of it */
	FIELDS_END_FIELD, /* the field has ended; nothing was taken */
	FIELDS_BLANK, /* the blank line was taken: the body follows */
	FIELDS_NOT_FIELD, /* the line is no field: the header has ended without
			   * a blank line, and the line belongs to the body */
	FIELDS_CUT, /* the input has ended within a line of a field */
	FIELDS_BODY, /* the header has ended before; nothing was taken */
};

struct fields {
	enum {
		FIELDS_AT_LINE, /* what this line is, is not known yet */
		FIELDS_IN_LINE, /* it belongs to a field */
		FIELDS_OVER,
	} state;
	bool is_open; /* a field has begun and not ended */
	bool has_bare_lf; /* a line has ended in LF without CR */
	char last; /* octet taken */
	uint64_t offset; /* octets taken: where the next one is */
	/* Offset of the field; after it, of the line that is no part of it. */
	uint64_t begin;
	size_t name_length;
	/* The line's first octets. After FIELDS_NAME: the name, white space
	 * that may follow it, the colon. After FIELDS_BLANK: CRLF or LF. After
	 * FIELDS_NOT_FIELD: what was taken of that line, which may be none. */
	size_t start_length;
	char start[FIELDS_START_MAX];
};

/* Get ready for the first octet of a message. */
void fields_start(struct fields *fields);

/*
 * Take octets of a header section (RFC 5322 section 2.2).
 *
 * position	where they begin; moved past what was taken.
 * end		after the last of them.
 *
 * The events are the same in whatever pieces the octets come, but for the
 * number of FIELDS_TEXT for one line, and FIELDS_MORE.
 */
enum fields_event fields_next(struct fields *fields, const char **position,
    const char *end);

/*
 * Tell that the message has ended. Returns FIELDS_END_FIELD, FIELDS_CUT or
 * FIELDS_NOT_FIELD if that ended something, otherwise FIELDS_BODY.
 */
enum fields_event fields_end(struct fields *fields);

/* Whether the field has that name, in any case. */
bool fields_has_name(const struct fields *fields, const char *name);

#endif
