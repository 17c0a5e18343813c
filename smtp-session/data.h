/* SPDX-License-Identifier: ISC */

#ifndef DATA_H
#define DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum data_event {
	DATA_TEXT, /* some text of the message */
	DATA_MORE, /* all octets are taken, and the end was not among them */
	DATA_END, /* the end of the message */
};

/* The position in a line; data.c draws the transitions. */
enum data_state {
	DATA_AT_LINE,
	DATA_IN_LINE,
	DATA_AFTER_CR,
	DATA_AFTER_BARE_LF,
	DATA_AFTER_DOT,
	DATA_AFTER_DOT_CR,
};

struct data {
	enum data_state state;
	uint64_t more_crs; /* after a CR: how many before it are undecided */
	bool is_normalizing; /* make a bare CR or LF a CRLF */
	bool has_nul, has_bare_cr, has_bare_lf;
	bool is_refused; /* there was a NUL, or a bare CR or LF unless
			  * normalizing: the message must not be used */
};

/* Get ready for the octets after the CRLF of DATA. */
void data_start(struct data *data, bool is_normalizing);

/*
 * Take octets of a message (RFC 5321 sections 4.1.1.4 and 4.5.2).
 *
 * position	where they begin; moved past what was taken.
 * end		after the last of them.
 * ret_text	on DATA_TEXT: at least one octet of the message with dot
 *		stuffing undone, within the octets taken or a constant.
 *
 * Only CRLF "." CRLF ends a message; nothing after it is taken.
 */
enum data_event data_next(struct data *data, const char **position,
    const char *end, const char **ret_text, size_t *ret_length);

#endif
