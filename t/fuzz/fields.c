/* SPDX-License-Identifier: ISC */

/*
 * fields.c - the header of a message: the fields do not depend on how the
 * header is split, and are those that a simple parser of the whole header
 * finds.
 *
 * The first octet of the input determines the size of the pieces.
 */

#include "config.h"

#include "lib/fields.h"
#include "t/fuzz/fuzz.h"

/* The findings as text: a mark for each event, and the octets of the fields. */
struct finding {
	char *text;
	size_t length;
};

static void
add(struct finding *finding, const char *text, size_t length)
{
	if (length > 0)
		memcpy(finding->text + finding->length, text, length);
	finding->length += length;
}

/* Room for the input twice, because names appear twice, and for the marks. */
static struct finding
new_finding(size_t size)
{
	struct finding finding = { .text = malloc(4 * size + 16) };

	must(finding.text != NULL);
	return finding;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- by the module ------------------------------------------------------- */

/* Returns whether the header has ended. */
static bool
add_event(struct finding *finding, const struct fields *fields,
    enum fields_event event, const char *text, size_t length)
{
	switch (event) {
	case FIELDS_MORE:
		return false;
	case FIELDS_NAME:
		must(fields->name_length > 0);
		must(fields->name_length < fields->start_length);
		must(fields->offset == fields->begin + fields->start_length);
		add(finding, "N", 1);
		add(finding, fields->start, fields->name_length);
		add(finding, ":", 1);
		return false;
	case FIELDS_TEXT:
		must(length > 0);
		add(finding, text, length);
		return false;
	case FIELDS_END_FIELD:
		must(length == 0);
		must(fields->begin == fields->offset);
		add(finding, "E", 1);
		return false;
	case FIELDS_BLANK:
		add(finding, "B", 1);
		return true;
	case FIELDS_NOT_FIELD:
		must(fields->offset == fields->begin + fields->start_length);
		add(finding, "!", 1);
		return true;
	case FIELDS_CUT:
		add(finding, "C", 1);
		return true;
	case FIELDS_BODY:
		add(finding, "$", 1);
		return true;
	}
	return true;
}

static bool
take(struct finding *finding, struct fields *fields, const char *text,
    const char *end)
{
	while (text < end) {
		const char *before = text;
		enum fields_event event = fields_next(fields, &text, end);

		must(text >= before && text <= end);
		if (add_event(finding, fields, event, before,
			(size_t)(text - before)))
			return true;
	}
	return false;
}

/* Parse the header in pieces, each in memory of exactly its size. */
static struct finding
find_in_pieces(const char *text, size_t size, size_t piece)
{
	struct finding finding = new_finding(size);
	struct fields fields;
	bool is_over = false;

	fields_start(&fields);
	for (size_t i = 0; i < size && !is_over; i += piece) {
		size_t length = size - i < piece ? size - i : piece;
		char *copy = fuzz_copy((const uint8_t *)text + i, length);

		is_over = take(&finding, &fields, copy, copy + length);
		free(copy);
	}
	if (!is_over &&
	    !add_event(&finding, &fields, fields_end(&fields), NULL, 0))
		add(&finding, "$", 1);
	must(fields_end(&fields) == FIELDS_BODY);
	must(fields.offset <= size);
	return finding;
}

/* ---- by a simple parser -------------------------------------------------- */

/* The length of a line's name with the blanks and the colon after it; 0 if the
 * line is not a field. */
static size_t
start_length(const char *line, size_t length, size_t *ret_name_length)
{
	size_t i = 0;

	while (i < length && line[i] > ' ' && line[i] <= '~' && line[i] != ':')
		i++;
	*ret_name_length = i;
	while (i < length && is_space(line[i]))
		i++;
	if (*ret_name_length == 0 || i >= FIELDS_START_MAX || i == length ||
	    line[i] != ':')
		return 0;
	return i + 1;
}

static struct finding
find_simply(const char *text, size_t size)
{
	struct finding finding = new_finding(size);
	bool is_open = false;

	for (size_t i = 0; i < size;) {
		const char *lf = memchr(text + i, '\n', size - i), *line;
		size_t length, start, name_length;

		line = text + i;
		length = lf != NULL ? (size_t)(lf + 1 - line) : size - i;
		if (!is_open || !is_space(*line)) {
			if (is_open)
				add(&finding, "E", 1);
			if (*line == '\n' ||
			    (length == 2 && memcmp(line, "\r\n", 2) == 0)) {
				add(&finding, "B", 1);
				return finding;
			}
			start = start_length(line, length, &name_length);
			if (start == 0) {
				add(&finding, "!", 1);
				return finding;
			}
			add(&finding, "N", 1);
			add(&finding, line, name_length);
			add(&finding, ":", 1);
			is_open = true;
			line += start;
			length -= start;
		}
		add(&finding, line, length);
		i = (size_t)(line + length - text);
		if (lf == NULL) {
			add(&finding, "C", 1);
			return finding;
		}
	}
	add(&finding, is_open ? "E$" : "$", is_open ? 2 : 1);
	return finding;
}

static bool
is_same(const struct finding *finding, const struct finding *other)
{
	return finding->length == other->length &&
	    memcmp(finding->text, other->text, finding->length) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct finding simple, whole, pieces;
	const char *text = (const char *)data + 1;

	if (size == 0)
		return 0;
	size--;
	simple = find_simply(text, size);
	whole = find_in_pieces(text, size, size + 1);
	pieces = find_in_pieces(text, size, (size_t)data[0] % 32 + 1);
	must(is_same(&whole, &simple));
	must(is_same(&whole, &pieces));
	free(simple.text);
	free(whole.text);
	free(pieces.text);
	return 0;
}
