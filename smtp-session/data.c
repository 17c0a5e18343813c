/* SPDX-License-Identifier: ISC */

/*
 * data.c - find the end of a message (RFC 5321 sections 4.1.1.4 and 4.5.2).
 *
 * Takes the octets after DATA as they come, undoes dot stuffing, refuses a
 * NUL, a bare CR or a bare LF, or makes the latter two CRLF; stops at the lone
 * dot. Pure: no I/O, no memory, no replies.
 *
 *	           "."             CR               LF
 *	AT_LINE ---------> AFTER_DOT ---> AFTER_DOT_CR ---> the end
 *	   |                   | other         | other
 *	   | other             v               v
 *	   +------------> IN_LINE <--- (a bare CR)
 *	                   |   ^
 *	                CR v   | other (a bare CR)
 *	               AFTER_CR ---> LF: AT_LINE
 *
 * A bare CR or LF never leads to AT_LINE: what follows it cannot be the dot
 * that ends the message, nor is a dot there taken away.
 */

#include "config.h"

#include <string.h>

#include "smtp-session/data.h"

/* How far to look for the end of a line at once: a flood of bare CRs or LFs is
 * not to make us look at the rest of the buffer for each of them. */
#define WINDOW 2048

static const char crlf[] = "\r\n";

void
data_start(struct data *data, bool is_normalizing)
{
	*data = (struct data){ .state = DATA_AT_LINE,
		.is_normalizing = is_normalizing };
}

/* A bare CR or LF was taken: the CRLF that stands for it, if any does. */
static void
take_bare_newline(struct data *data, const char **ret_text, size_t *ret_length)
{
	if (!data->is_normalizing) {
		data->is_refused = true;
		return;
	}
	*ret_text = crlf;
	*ret_length = 2;
}

static const char *
stop_at(struct data *data, enum data_state state, const char *text_end,
    const char *next, const char **position)
{
	data->state = state;
	*position = next;
	return text_end;
}

/*
 * Take the text from p up to where something is to be decided, which is a line
 * that begins with a dot, a CR that is the last octet, or a bare CR or LF; set
 * the state for it. Returns where the text ends; *position is where to go on.
 */
static const char *
take_text(struct data *data, const char **position, const char *end)
{
	const char *p = *position;

	for (;;) {
		size_t left = (size_t)(end - p);
		size_t window = left < WINDOW ? left : WINDOW;
		const char *cr = memchr(p, '\r', window);
		size_t length = cr != NULL ? (size_t)(cr - p) : window;
		const char *lf = memchr(p, '\n', length);

		if (memchr(p, '\0', length) != NULL)
			data->is_refused = true;
		if (lf != NULL)
			return stop_at(data, DATA_IN_LINE, lf, lf, position);
		if (cr == NULL && window == left)
			return stop_at(data, DATA_IN_LINE, end, end, position);
		if (cr == NULL) {
			p += window;
			continue;
		}
		/* Bare, or its LF is still to come. */
		if (cr + 1 == end || cr[1] != '\n')
			return stop_at(data, DATA_AFTER_CR, cr, cr + 1,
			    position);
		p = cr + 2;
		if (p == end || *p == '.')
			return stop_at(data, DATA_AT_LINE, p, p, position);
	}
}

/* One step: take at least one octet, or settle the state of none. Returns
 * whether the end of the message was taken. */
static bool
step(struct data *data, const char **position, const char *end,
    const char **ret_text, size_t *ret_length)
{
	const char *p = *position;

	switch (data->state) {
	case DATA_AT_LINE:
		data->state = *p == '.' ? DATA_AFTER_DOT : DATA_IN_LINE;
		*position += *p == '.';
		break;
	case DATA_IN_LINE:
		if (*p == '\n') {
			++*position;
			take_bare_newline(data, ret_text, ret_length);
			break;
		}
		*ret_text = p;
		*ret_length = (size_t)(take_text(data, position, end) - p);
		break;
	case DATA_AFTER_CR:
		if (*p == '\n') {
			++*position;
			data->state = DATA_AT_LINE;
			*ret_text = crlf;
			*ret_length = 2;
			break;
		}
		data->state = DATA_IN_LINE;
		take_bare_newline(data, ret_text, ret_length);
		break;
	case DATA_AFTER_DOT:
		data->state = *p == '\r' ? DATA_AFTER_DOT_CR : DATA_IN_LINE;
		*position += *p == '\r';
		break;
	case DATA_AFTER_DOT_CR:
		if (*p == '\n') {
			++*position;
			return true;
		}
		data->state = DATA_IN_LINE;
		take_bare_newline(data, ret_text, ret_length);
		break;
	}
	return false;
}

enum data_event
data_next(struct data *data, const char **position, const char *end,
    const char **ret_text, size_t *ret_length)
{
	*ret_length = 0;
	while (*position < end) {
		if (step(data, position, end, ret_text, ret_length))
			return DATA_END;
		if (*ret_length > 0)
			return DATA_TEXT;
	}
	return DATA_MORE;
}
