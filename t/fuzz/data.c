/* SPDX-License-Identifier: ISC */

/*
 * data.c - end of data: however a message is split, its end and its content are
 * those that a simple parser of the whole input finds.
 */

#include "config.h"

#include "smtp-session/data.h"
#include "t/fuzz/fuzz.h"

struct input {
	const char *text;
	size_t length;
};

struct result {
	bool has_ended;
	bool is_refused;
	size_t used; /* octets of the input, if it has ended */
	size_t length;
	char *text;
};

/* Room for a text of CRs, each of which becomes a CRLF. */
static struct result
new_result(const struct input *input)
{
	struct result result = { .text = malloc(2 * input->length + 1) };

	must(result.text != NULL);
	return result;
}

static void
add(struct result *result, const char *text, size_t length)
{
	memcpy(result->text + result->length, text, length);
	result->length += length;
}

static bool
has_at(const struct input *input, size_t i, const char *text)
{
	size_t length = strlen(text);

	return i + length <= input->length &&
	    memcmp(input->text + i, text, length) == 0;
}

static bool
is_end(const struct input *input, size_t i)
{
	if (IS_PLANTED && has_at(input, i, ".\n"))
		return true;
	return has_at(input, i, ".\r\n");
}

/* Parse the whole input at once (RFC 5321 sections 2.3.8, 4.1.1.4 and 4.5.2):
 * only CRLF "." CRLF ends it; LF, and CRs before one, end a line, after which a
 * dot is removed; any other CR ends a line, after which none is. */
static struct result
read_simply(const struct input *input, bool is_normalizing)
{
	struct result result = new_result(input);
	bool is_at_line = true, is_after_lf = true;

	for (size_t i = 0; i < input->length;) {
		size_t crs = 0;

		if (is_at_line && is_end(input, i)) {
			result.has_ended = true;
			result.used = i + 3;
			break;
		}
		if (is_after_lf && has_at(input, i, "."))
			i++;
		while (has_at(input, i + crs, "\r"))
			crs++;
		is_after_lf = has_at(input, i + crs, "\n");
		is_at_line = is_after_lf && crs > 0;
		if (is_after_lf || crs > 0) {
			result.is_refused |=
			    !is_normalizing && !(is_after_lf && crs == 1);
			add(&result, "\r\n", 2);
			i += is_after_lf ? crs + 1 : 1;
		} else if (i < input->length) {
			result.is_refused |= input->text[i] == '\0';
			add(&result, input->text + i++, 1);
		}
	}
	return result;
}

/* Parse as a session does, in pieces of the given size, each in memory of its
 * own. */
static struct result
read_in_pieces(const struct input *input, bool is_normalizing, size_t piece)
{
	struct result result = new_result(input);
	struct data data;

	data_start(&data, is_normalizing);
	for (size_t i = 0; i < input->length && !result.has_ended;) {
		size_t left = input->length - i, taken;
		size_t length = piece < left ? piece : left, text_length;
		char *copy =
		    fuzz_copy((const uint8_t *)input->text + i, length);
		const char *position = copy, *text;
		enum data_event event;

		while ((event = data_next(&data, &position, copy + length,
			    &text, &text_length)) == DATA_TEXT) {
			must(text_length > 0);
			must(result.length + text_length <= 2 * input->length);
			add(&result, text, text_length);
		}
		taken = (size_t)(position - copy);
		must(taken <= length && (event == DATA_END || taken == length));
		i += taken;
		result.has_ended = event == DATA_END;
		result.used = i;
		free(copy);
	}
	result.is_refused = data.is_refused;
	return result;
}

/* The content of a refused message does not matter. Without an end nothing is
 * compared: a last CR or dot may still be pending. */
static void
compare(const struct result *got, const struct result *expected)
{
	must(got->has_ended == expected->has_ended);
	if (!got->has_ended)
		return;
	must(got->used == expected->used);
	must(got->is_refused == expected->is_refused);
	must(got->is_refused ||
	    (got->length == expected->length &&
		memcmp(got->text, expected->text, got->length) == 0));
}

static void
check(const struct input *input, bool is_normalizing)
{
	static const size_t pieces[] = { SIZE_MAX, 1, 2, 3, 5, 64 };
	struct result expected = read_simply(input, is_normalizing);

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct result got =
		    read_in_pieces(input, is_normalizing, pieces[i]);

		compare(&got, &expected);
		free(got.text);
	}
	free(expected.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { (const char *)data, size };

	check(&input, false);
	check(&input, true);
	return 0;
}
