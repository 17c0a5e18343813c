/* SPDX-License-Identifier: ISC */

/*
 * fields.c - the fields and the end of a header are found, however the header
 * is split.
 */

#include "config.h"

#include "lib/fields.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define X10 "xxxxxxxxxx"
#define X70 X10 X10 X10 X10 X10 X10 X10
#define X330 X70 X70 X70 X70 X10 X10 X10 X10 X10
#define X990 X330 X330 X330

/*
 * The output: [name] and the text of each field, "|" at its end, "~" if it is
 * cut; then "=" for the blank line, "!" and the start of a line that is not a
 * field, or "$" if the message ends with its header; last, the offset at which
 * this is known.
 */
/* clang-format off */
static const struct { const char *input, *output; bool has_bare_lf; } rows[] = {
	/* fields, folded ones, the blank line */
	{ "A: b\r\n\r\nbody", "[A] b\r\n|=8", false },
	{ "A:b\r\nC-d:\r\n\r\n", "[A]b\r\n|[C-d]\r\n|=13", false },
	{ "A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", "[A] b\r\n c\r\n\td\r\n|[E] f\r\n|=22", false },
	{ "A:\r\n b\r\n\r\n", "[A]\r\n b\r\n|=10", false },
	{ "A: b\r\n \r\nC: d\r\n\r\n", "[A] b\r\n \r\n|[C] d\r\n|=17", false },
	{ "A: b: c\r\n\r\n", "[A] b: c\r\n|=11", false },
	{ "A: \xc3\xbc\r\n\r\n", "[A] \xc3\xbc\r\n|=9", false },
	{ "!~: x\r\n\r\n", "[!~] x\r\n|=9", false },
	{ "\r\nA: b\r\n", "=2", false },

	/* white space before the colon (RFC 5322 section 4.5) */
	{ "A : b\r\n\r\n", "[A] b\r\n|=9", false },
	{ "A \t : b\r\n\r\n", "[A] b\r\n|=11", false },

	/* the message ends within or after its header */
	{ "", "$0", false },
	{ "A: b\r\n", "[A] b\r\n|$6", false },
	{ "A: b\r\n c\r\n", "[A] b\r\n c\r\n|$10", false },
	{ "A: b\r\nC: d", "[A] b\r\n|[C] d~10", false },
	{ "A:", "[A]~2", false },
	{ "A: b\r\n ", "[A] b\r\n ~7", false },
	{ "A: b\r", "[A] b\r~5", false },
	{ "A: b\r\nC", "[A] b\r\n|!C7", false },
	{ "A: b\r\n\r", "[A] b\r\n|!\r7", false },

	/* a line that cannot be in a header */
	{ "hello\r\n", "!hello5", false },
	{ "hello world: x\r\n", "!hello 6", false },
	{ ": x\r\n", "!0", false },
	{ " A: b\r\n", "!0", false },
	{ "\tA: b\r\n", "!0", false },
	{ "\xc3\xbc: x\r\n", "!0", false },
	{ "A\x7f: x\r\n", "!A1", false },
	{ "A\r: x\r\n", "!A1", false },
	{ "A: b\r\nhello\r\nC: d\r\n", "[A] b\r\n|!hello11", false },
	{ "From a@b Mon Jan  1\r\nA: b\r\n", "!From 5", false },

	/* a bare CR is text, and does not make a blank line */
	{ "A: b\rC: d\r\n\r\n", "[A] b\rC: d\r\n|=13", false },
	{ "A: b\r\n\rC: d\r\n", "[A] b\r\n|!\r7", false },
	{ "\rA: b\r\n", "!\r1", false },
	{ "A: b\r\r\nC: d\r\n\r\n", "[A] b\r\r\n|[C] d\r\n|=15", false },

	/* a bare LF ends a line too, and is reported */
	{ "A: b\nC: d\n\nx", "[A] b\n|[C] d\n|=11", true },
	{ "A: b\n c\r\n\r\n", "[A] b\n c\r\n|=11", true },
	{ "A:\n\r\n", "[A]\n|=5", true },
	{ "\nA: b\r\n", "=1", false },
	{ "A: b\r\n\n", "[A] b\r\n|=7", false },

	/* names as long as a line, and longer */
	{ X70 "xxxxxxx:y\r\n\r\n", "[" X70 "xxxxxxx]y\r\n|=83", false },
	{ X70 "xxxxxxxx:y\r\n\r\n", "[" X70 "xxxxxxxx]y\r\n|=84", false },
	{ X990 "xxxxxxx:y\r\n\r\n", "[" X990 "xxxxxxx]y\r\n|=1003", false },
	{ X990 "xxxxxx :y\r\n\r\n", "[" X990 "xxxxxx]y\r\n|=1003", false },
	{ X990 "xxxxxxxx:y\r\n\r\n", "!" X990 "xxxxxxxx998", false },
};
/* clang-format on */

static char out[2048];
static size_t used;

static void
put(const char *text, size_t length)
{
	need(used + length < sizeof(out));
	memcpy(out + used, text, length);
	used += length;
	out[used] = '\0';
}

static void
put_offset(const struct fields *fields)
{
	char offset[24];

	(void)snprintf(offset, sizeof(offset), "%ju",
	    (uintmax_t)fields->offset);
	put(offset, strlen(offset));
}

/* Returns whether the header has ended. */
static bool
put_event(const struct fields *fields, enum fields_event event,
    const char *text, size_t length)
{
	switch (event) {
	case FIELDS_MORE:
		return false;
	case FIELDS_NAME:
		put("[", 1);
		put(fields->start, fields->name_length);
		put("]", 1);
		return false;
	case FIELDS_TEXT:
		need(length > 0);
		put(text, length);
		return false;
	case FIELDS_END_FIELD:
		need(length == 0);
		put("|", 1);
		return false;
	case FIELDS_BLANK:
		put("=", 1);
		break;
	case FIELDS_NOT_FIELD:
		put("!", 1);
		put(fields->start, fields->start_length);
		break;
	case FIELDS_CUT:
		put("~", 1);
		break;
	case FIELDS_BODY:
		put("$", 1);
		break;
	}
	put_offset(fields);
	return true;
}

static bool
take(struct fields *fields, const char *text, const char *end)
{
	while (text < end) {
		const char *before = text;
		enum fields_event event = fields_next(fields, &text, end);

		if (put_event(fields, event, before, (size_t)(text - before)))
			return true;
	}
	return false;
}

/* Read the header in pieces of the given size. */
static void
read_header(struct fields *fields, const char *input, size_t piece)
{
	const char *end = input + strlen(input);
	bool is_over = false;

	fields_start(fields);
	used = 0;
	out[0] = '\0';
	while (input < end && !is_over) {
		size_t length = (size_t)(end - input);

		if (length > piece)
			length = piece;
		is_over = take(fields, input, input + length);
		input += length;
	}
	if (!is_over && !put_event(fields, fields_end(fields), NULL, 0))
		(void)put_event(fields, FIELDS_BODY, NULL, 0);
}

static void
check_row(size_t row)
{
	const char *input = rows[row].input;
	struct fields fields;
	int wrong = 0;

	read_header(&fields, input, SIZE_MAX);
	is_str(out, rows[row].output, "\"%s\"", input);
	is_int(fields.has_bare_lf, rows[row].has_bare_lf, "bare LF");
	for (size_t piece = 1; piece <= strlen(input); piece++) {
		read_header(&fields, input, piece);
		wrong += strcmp(out, rows[row].output) != 0 ||
		    fields.has_bare_lf != rows[row].has_bare_lf;
	}
	is_int(wrong, 0, "however the header is split");
}

static void
names_are_compared_without_case(void)
{
	const char *text = "Message-ID \t: x";
	struct fields fields;

	fields_start(&fields);
	is_int(fields_next(&fields, &text, text + strlen(text)), FIELDS_NAME,
	    "a name is found");
	ok(fields_has_name(&fields, "Message-ID"), "it matches itself");
	ok(fields_has_name(&fields, "MESSAGE-id"), "in any case");
	ok(!fields_has_name(&fields, "Message-I"), "but no shorter name");
	ok(!fields_has_name(&fields, "Message-IDs"), "no longer name");
	ok(!fields_has_name(&fields, ""), "and not the empty name");
}

/* The offsets of a field, for callers that read it again. */
static void
offsets_are_of_the_message(void)
{
	static const char text[] = "A: b\r\nCc : d\r\n e\r\n\r\n";
	const char *p = text, *end = text + sizeof(text) - 1;
	struct fields fields;
	enum fields_event event = FIELDS_MORE;

	fields_start(&fields);
	while (event != FIELDS_BLANK) {
		event = fields_next(&fields, &p, end);
		if (event != FIELDS_NAME || !fields_has_name(&fields, "Cc"))
			continue;
		is_int((int64_t)fields.begin, 6, "the offset of the field");
		is_int((int64_t)fields.start_length, 4,
		    "the length before its text");
		while (fields_next(&fields, &p, end) == FIELDS_TEXT)
			;
		is_int((int64_t)fields.offset, 18, "the offset of its end");
	}
	is_int((int64_t)fields.begin, 18, "where the blank line begins");
	is_int(fields_next(&fields, &p, end), FIELDS_BODY, "then the body");
	is_int(fields_end(&fields), FIELDS_BODY, "to the end");

	fields_start(&fields);
	for (p = text, end = text + 6; p < end;)
		(void)fields_next(&fields, &p, end);
	is_int(fields_end(&fields), FIELDS_END_FIELD, "the last field ends");
	is_int((int64_t)fields.begin, 6, "where the message does");
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		check_row(i);
	names_are_compared_without_case();
	offsets_are_of_the_message();
	return done_testing();
}
