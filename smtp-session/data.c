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
 *	   +------------> IN_LINE <-------- AFTER_CR ----+
 *	                   ^   |     other   ^  | |      | CR
 *	        other, "." |   +-------------+  | +------+
 *	                   |   |      CR        +---> LF: AT_LINE
 *	      AFTER_BARE_LF <--+ LF
 *
 * A bare CR or LF never leads to AT_LINE: what follows it cannot be the dot
 * that ends the message. A dot after a bare LF is taken away, as one after a
 * CRLF is, because clients that send bare LFs add it there; one after a bare CR
 * stays. CRs before a CRLF belong to it.
 */

#include "config.h"

#include <stdint.h>
#include <string.h>

#include "smtp-session/data.h"

/* Octets that are compared at once: compilers make one or two instructions of
 * each operation on them. */
#define BLOCK 16

typedef unsigned char octets __attribute__((vector_size(BLOCK)));
typedef uint64_t words __attribute__((vector_size(BLOCK)));

static const char crlf[] = "\r\n";

void
data_start(struct data *data, bool is_normalizing)
{
	*data = (struct data){ .state = DATA_AT_LINE,
		.is_normalizing = is_normalizing };
}

static void
end_line(const char **ret_text, size_t *ret_length)
{
	*ret_text = crlf;
	*ret_length = 2;
}

static void
note_bare_cr(struct data *data)
{
	data->has_bare_cr = true;
	data->is_refused |= !data->is_normalizing;
}

static void
note_bare_lf(struct data *data)
{
	data->has_bare_lf = true;
	data->is_refused |= !data->is_normalizing;
}

static const char *
stop_at(struct data *data, enum data_state state, const char *text_end,
    const char *next, const char **position)
{
	data->state = state;
	*position = next;
	return text_end;
}

/* A bit, or eight, of each octet that decides something, in memory's order. */
static words
mark_deciding(const char *p)
{
	octets block;

	memcpy(&block, p, sizeof(block));
	/* cppcheck-suppress bitwiseOnBoolean ; of vectors */
	return (words)((block == '\r') | (block == '\n') | (block == '\0'));
}

static size_t
first_marked(uint64_t word)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (size_t)__builtin_ctzll(word) / 8;
#else
	return (size_t)__builtin_clzll(word) / 8;
#endif
}

/* The first CR, LF or NUL, or the end. */
static const char *
find_deciding(const char *p, const char *end)
{
	for (; end - p >= BLOCK; p += BLOCK) {
		words marks = mark_deciding(p);

		if ((marks[0] | marks[1]) == 0)
			continue;
		for (size_t i = 0; i < BLOCK / 8; i++)
			if (marks[i] != 0)
				return p + 8 * i + first_marked(marks[i]);
	}
	while (p < end && *p != '\r' && *p != '\n' && *p != '\0')
		p++;
	return p;
}

/*
 * Take the text from *position up to the next octet that needs a decision: a
 * dot that begins a line, a CR that is the last octet, a bare CR or LF. Set the
 * state for it. Returns where the text ends; *position is where to continue.
 */
static const char *
take_text(struct data *data, const char **position, const char *end)
{
	const char *p = *position;

	for (;;) {
		p = find_deciding(p, end);
		if (p == end || *p == '\n')
			return stop_at(data, DATA_IN_LINE, p, p, position);
		if (*p == '\0') {
			data->has_nul = data->is_refused = true;
			p++;
			continue;
		}
		/* Bare, or its LF is still to come. */
		if (p + 1 == end || p[1] != '\n')
			return stop_at(data, DATA_AFTER_CR, p, p + 1, position);
		p += 2;
		if (p == end || *p == '.')
			return stop_at(data, DATA_AT_LINE, p, p, position);
	}
}

/* Decide about CRs by the octet that follows them: they are one end of a line
 * before an LF, an end each before any other. */
static void
take_after_cr(struct data *data, const char **position, const char **ret_text,
    size_t *ret_length)
{
	if (**position == '\r') {
		++*position;
		data->more_crs++;
		return;
	}
	end_line(ret_text, ret_length);
	if (**position == '\n') {
		++*position;
		if (data->more_crs > 0)
			note_bare_cr(data);
		data->more_crs = 0;
		data->state = DATA_AT_LINE;
		return;
	}
	note_bare_cr(data);
	if (data->more_crs == 0)
		data->state = DATA_IN_LINE;
	else
		data->more_crs--;
}

/* Take at least one octet, or change the state without taking any. Returns
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
			note_bare_lf(data);
			end_line(ret_text, ret_length);
			data->state = DATA_AFTER_BARE_LF;
			break;
		}
		*ret_text = p;
		*ret_length = (size_t)(take_text(data, position, end) - p);
		break;
	case DATA_AFTER_CR:
		take_after_cr(data, position, ret_text, ret_length);
		break;
	case DATA_AFTER_BARE_LF:
		data->state = DATA_IN_LINE;
		*position += *p == '.';
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
		data->state = DATA_AFTER_CR;
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
