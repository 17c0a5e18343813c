/* SPDX-License-Identifier: ISC */

/*
 * data.c - only CRLF "." CRLF ends a message, however its octets are split.
 *
 * Every message of up to LENGTH octets of the alphabet, and MIXES long random
 * ones, are compared with what a simple parser finds in the whole input. Reads
 * past the end of the input are detected.
 */

#include "config.h"

#include <sys/mman.h>

#include <unistd.h>

#include "smtp-session/data.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define LENGTH 6
#define MIXES 20000
#define ROOM 1024

static const char alphabet[] = { '\r', '\n', '.', 'a', '\0' };
static const char ending[] = "\r\n.\r\nx";

struct result {
	size_t used; /* octets of the input, with the end of the message */
	bool has_ended;
	bool is_refused;
	bool has_bare_cr, has_bare_lf;
	size_t length;
	char text[ROOM];
};

struct input {
	size_t length;
	char text[ROOM];
};

/* clang-format off */

/* Input with its end, and the message in it, or NULL if it is refused. */
static const struct { const char *input, *rejecting, *normalizing; } rows[] = {
	{ ".\r\n", "", "" },
	{ "a\r\n.\r\n", "a\r\n", "a\r\n" },
	{ "\r\n.\r\n", "\r\n", "\r\n" },
	{ "a\r\n\r\nb\r\n.\r\n", "a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n" },

	/* dot stuffing (section 4.5.2) */
	{ "..\r\n.\r\n", ".\r\n", ".\r\n" },
	{ "...\r\n.\r\n", "..\r\n", "..\r\n" },
	{ ".a\r\n.\r\n", "a\r\n", "a\r\n" },
	{ "a.\r\n.\r\n", "a.\r\n", "a.\r\n" },
	{ "a\r\n..b\r\n.\r\n", "a\r\n.b\r\n", "a\r\n.b\r\n" },
	{ ". \r\n.\r\n", " \r\n", " \r\n" },

	/* not the end of the message */
	{ "a\n.\n\r\n.\r\n", NULL, "a\r\n\r\n\r\n" },
	{ "a\n.\r\nb\r\n.\r\n", NULL, "a\r\n\r\nb\r\n" },
	{ "a\r\n.\nb\r\n.\r\n", NULL, "a\r\n\r\nb\r\n" },
	{ "a\r.\rb\r\n.\r\n", NULL, "a\r\n.\r\nb\r\n" },
	{ "a\r.\r\nb\r\n.\r\n", NULL, "a\r\n.\r\nb\r\n" },
	{ "a\r\n.\rb\r\n.\r\n", NULL, "a\r\n\r\nb\r\n" },
	{ "a\r\r\nb\r\n.\r\n", NULL, "a\r\nb\r\n" },
	{ "\n.\r\nb\r\n.\r\n", NULL, "\r\n\r\nb\r\n" },
	{ "a\n\r.\r\n.\r\n", NULL, "a\r\n\r\n.\r\n" },
	{ "a\n\r\n.\r\n", NULL, "a\r\n\r\n" },
	{ "a\rb\r\n.\r\n", NULL, "a\r\nb\r\n" },
	{ "a\nb\r\n.\r\n", NULL, "a\r\nb\r\n" },
	{ "a\n.\r\n.\r\n", NULL, "a\r\n\r\n" },
	{ "a\r\n.\r\r\n.\r\n", NULL, "a\r\n\r\n" },
	{ "a\r\r\n.\r\n", NULL, "a\r\n" },

	/* dot stuffing after a bare LF, not after a bare CR */
	{ "a\n..\r\n.\r\n", NULL, "a\r\n.\r\n" },
	{ "a\n..b\n...\n.c\r\n.\r\n", NULL, "a\r\n.b\r\n..\r\nc\r\n" },
	{ "\n..\n\n..\r\n.\r\n", NULL, "\r\n.\r\n\r\n.\r\n" },
	{ "a\r..b\r.c\r\n.\r\n", NULL, "a\r\n..b\r\n.c\r\n" },
	{ "a\r\r\n..b\r\n.\r\n", NULL, "a\r\n.b\r\n" },

	/* several CRs */
	{ "a\r\r\r\nb\r\n.\r\n", NULL, "a\r\nb\r\n" },
	{ "a\r\r\rb\r\n.\r\n", NULL, "a\r\n\r\n\r\nb\r\n" },
	{ "a\r\r\n\r\r\nb\r\r\n.\r\n", NULL, "a\r\n\r\nb\r\n" },
	{ "a\r\n.\r\rb\r\n.\r\n", NULL, "a\r\n\r\n\r\nb\r\n" },
};
/* clang-format on */

/* Return a copy of the input that ends where unreadable memory begins. */
static const char *
at_end_of_page(const struct input *input)
{
	static char *page_end;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (page_end == NULL) {
		char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		need(pages != MAP_FAILED && ROOM <= page);
		page_end = pages + page;
		need(mprotect(page_end, page, PROT_NONE) == 0);
	}
	return memcpy(page_end - input->length, input->text, input->length);
}

/* Parse the octets after DATA in pieces. Each bit of cuts is a place between
 * two octets, cut if the bit is set; longer inputs use the bits again. */
static struct result
feed(const struct input *input, uint64_t cuts, bool is_normalizing)
{
	struct result result = { .used = 0 };
	const char *octets = at_end_of_page(input);
	struct data data;
	size_t start = 0;

	data_start(&data, is_normalizing);
	for (size_t i = 1; i <= input->length && !result.has_ended; i++) {
		const char *position, *end, *text;
		enum data_event event;
		size_t length;

		if (i < input->length && (cuts >> (i - 1) % 64 & 1) == 0)
			continue;
		position = octets + start;
		end = octets + i;
		while ((event = data_next(&data, &position, end, &text,
			    &length)) == DATA_TEXT) {
			need(length > 0 && result.length + length <= ROOM);
			memcpy(result.text + result.length, text, length);
			result.length += length;
		}
		need(event == DATA_END || position == end);
		result.has_ended = event == DATA_END;
		result.used = (size_t)(position - octets);
		start = i;
	}
	result.is_refused = data.is_refused;
	result.has_bare_cr = data.has_bare_cr;
	result.has_bare_lf = data.has_bare_lf;
	return result;
}

static bool
has_at(const struct input *input, size_t i, const char *text)
{
	size_t length = strlen(text);

	return i + length <= input->length &&
	    memcmp(input->text + i, text, length) == 0;
}

/* Parse all of the input at once; it contains the end of a message. */
static struct result
expect(const struct input *input, bool is_normalizing)
{
	struct result result = { .has_ended = true };
	bool is_at_line = true, is_after_lf = true;
	size_t i = 0;

	while (!(is_at_line && has_at(input, i, ".\r\n"))) {
		size_t crs = 0;

		if (is_after_lf && has_at(input, i, "."))
			i++;
		while (has_at(input, i + crs, "\r"))
			crs++;
		is_after_lf = has_at(input, i + crs, "\n");
		is_at_line = crs > 0 && is_after_lf;
		if (is_after_lf || crs > 0) {
			if (crs == 0)
				result.has_bare_lf = true;
			else if (crs > 1 || !is_after_lf)
				result.has_bare_cr = true;
			memcpy(result.text + result.length, "\r\n", 2);
			result.length += 2;
			i += is_after_lf ? crs + 1 : 1;
		} else {
			result.is_refused |= input->text[i] == '\0';
			result.text[result.length++] = input->text[i++];
		}
	}
	result.is_refused |=
	    !is_normalizing && (result.has_bare_cr || result.has_bare_lf);
	result.used = i + 3;
	return result;
}

/* The content of a refused message does not matter. */
static bool
is_as_expected(const struct result *got, const struct result *expected)
{
	return got->used == expected->used &&
	    got->has_ended == expected->has_ended &&
	    got->is_refused == expected->is_refused &&
	    got->has_bare_cr == expected->has_bare_cr &&
	    got->has_bare_lf == expected->has_bare_lf &&
	    (expected->is_refused ||
		(got->length == expected->length &&
		    memcmp(got->text, expected->text, got->length) == 0));
}

static unsigned
count_wrong(const struct input *input, bool is_normalizing)
{
	struct result expected = expect(input, is_normalizing), got;
	uint64_t all = (UINT64_C(1) << (input->length - 1)) - 1;
	unsigned wrong = 0;

	got = feed(input, 0, is_normalizing);
	wrong += !is_as_expected(&got, &expected);
	got = feed(input, all, is_normalizing);
	wrong += !is_as_expected(&got, &expected);
	for (size_t i = 0; i + 1 < input->length; i++) {
		got = feed(input, UINT64_C(1) << i, is_normalizing);
		wrong += !is_as_expected(&got, &expected);
	}
	/* Split short inputs in every way. */
	for (uint64_t cuts = 0; input->length <= 10 && cuts < all; cuts++) {
		got = feed(input, cuts, is_normalizing);
		wrong += !is_as_expected(&got, &expected);
	}
	return wrong;
}

/* Return the message of that number, whose digits choose octets of the
 * alphabet. */
static struct input
make_input(size_t length, unsigned number)
{
	struct input input = { .length = length };

	for (size_t i = 0; i < length; i++) {
		input.text[i] = alphabet[number % COUNT(alphabet)];
		number /= COUNT(alphabet);
	}
	memcpy(input.text + length, ending, sizeof(ending) - 1);
	input.length += sizeof(ending) - 1;
	return input;
}

static void
every_short_message(bool is_normalizing)
{
	unsigned messages = 1;

	for (size_t length = 0; length <= LENGTH; length++) {
		unsigned wrong = 0;

		for (unsigned i = 0; i < messages; i++) {
			struct input input = make_input(length, i);

			wrong += count_wrong(&input, is_normalizing);
		}
		is_int(wrong, 0, "all %u messages of %zu octets, %s", messages,
		    length, is_normalizing ? "normalizing" : "rejecting");
		messages *= (unsigned)COUNT(alphabet);
	}
}

/* xorshift64*: the same numbers in each run. */
static uint64_t
chance(uint64_t limit)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * 0x2545f4914f6cdd1d >> 33) % limit;
}

/* Return a random mix of line ends, of octets that a comparison of many at a
 * time could mistake for them, and of lines of any length. */
static struct input
mix_input(void)
{
	static const char *const rare[] = { "\r\n", "\r\n", "\r\n.", "\r\n..",
		"\r\n.\r", "\r", "\n", ".", "\r\r\n", "\t", "\x0b", "\x0c",
		"\x0e", "\x8d", "\x8a", "\x80", "\xff", "\r\n.\r\n" };
	struct input input = { .length = 0 };
	size_t length = chance(ROOM - 2 * sizeof(ending));
	uint64_t density = 1 + chance(100);

	while (input.length < length) {
		const char *text = "a";

		if (chance(density) == 0)
			text = rare[chance(COUNT(rare))];
		memcpy(input.text + input.length, text, strlen(text));
		input.length += strlen(text);
	}
	if (chance(4) == 0 && input.length > 0)
		input.text[chance(input.length)] = '\0';
	memcpy(input.text + input.length, ending, sizeof(ending) - 1);
	input.length += sizeof(ending) - 1;
	return input;
}

static void
mixes_of_octets(bool is_normalizing)
{
	unsigned wrong = 0, refused = 0;

	for (unsigned i = 0; i < MIXES; i++) {
		struct input input = mix_input();
		struct result expected = expect(&input, is_normalizing);
		struct result whole = feed(&input, 0, is_normalizing);
		struct result cut = feed(&input,
		    chance(UINT32_MAX) << chance(32), is_normalizing);

		wrong += !is_as_expected(&whole, &expected);
		wrong += !is_as_expected(&cut, &expected);
		refused += expected.is_refused;
	}
	is_int(wrong, 0, "%d mixes of octets, %s", MIXES,
	    is_normalizing ? "normalizing" : "rejecting");
	ok(refused > MIXES / 10 && refused < MIXES - MIXES / 10,
	    "of which %u are refused", refused);
}

static void
check_row(size_t row, bool is_normalizing)
{
	const char *expected =
	    is_normalizing ? rows[row].normalizing : rows[row].rejecting;
	struct input input = { .length = strlen(rows[row].input) };
	struct result result;

	memcpy(input.text, rows[row].input, input.length);
	result = feed(&input, 0, is_normalizing);
	ok(result.has_ended && result.used == input.length,
	    "\"%s\" ends with its last octet", rows[row].input);
	if (expected == NULL)
		ok(result.is_refused, "\"%s\" is refused", rows[row].input);
	else if (ok(!result.is_refused, "\"%s\" is accepted%s", rows[row].input,
		     is_normalizing ? " when normalizing" : ""))
		is_mem(result.text, result.length, expected, strlen(expected),
		    "as \"%s\"", expected);
}

static void
message_without_its_end(void)
{
	static const char *const texts[] = { "a", "a\r", "a\r\n", "a\r\n.",
		"a\r\n.\r", ".", ".\r", "\r\n", "..\r\n", "a\r\n.\n", "a\n.\n",
		"a\n.\r\n", "\n.\r\n", "\r.\r\n" };

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct input input = { .length = strlen(texts[i]) };

		memcpy(input.text, texts[i], input.length);
		ok(!feed(&input, 0, false).has_ended &&
			!feed(&input, UINT64_MAX, false).has_ended &&
			!feed(&input, 0, true).has_ended &&
			!feed(&input, UINT64_MAX, true).has_ended,
		    "\"%s\" does not end a message", texts[i]);
	}
}

static void
nul_is_refused(void)
{
	struct input input = { .length = 7, .text = "a\0b\r\n.\r" };

	input.text[input.length++] = '\n';
	ok(feed(&input, 0, false).is_refused, "a NUL is refused");
	ok(feed(&input, 0, true).is_refused, "when normalizing too");
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		check_row(i, false);
		check_row(i, true);
	}
	message_without_its_end();
	nul_is_refused();
	every_short_message(false);
	every_short_message(true);
	mixes_of_octets(false);
	mixes_of_octets(true);
	return done_testing();
}
