/* SPDX-License-Identifier: ISC */

/*
 * canonical.c - the canonical form of messages for DKIM: it does not depend on
 * how the text is split, does not change when it is canonicalised again, and
 * survives relays that change white space.
 *
 * The input is a body or, after "field:", a field.
 */

#include "config.h"

#include "smtp-deliver/content/canonical.h"
#include "t/fuzz/fuzz.h"

struct text {
	char *octets;
	size_t length, size;
};

static void
take(void *context, const void *data, size_t size)
{
	struct text *out = context;

	must(size > 0 && size <= out->size - out->length);
	memcpy(out->octets + out->length, data, size);
	out->length += size;
}

/* Canonicalise a text in pieces of the given size; the caller frees the result.
 * It is longer than the text by no more than the end of the last line. */
static struct text
pass(bool is_field, const char *text, size_t length, size_t piece)
{
	struct text out = { .size = length + 2 };
	struct canonical canonical;

	must((out.octets = malloc(out.size)) != NULL);
	canonical_start(&canonical, take, &out);
	for (size_t i = 0; i < length; i += piece)
		(is_field ? canonical_add_field
			  : canonical_add_body)(&canonical, text + i,
		    length - i < piece ? length - i : piece);
	(is_field ? canonical_end_field : canonical_end_body)(&canonical);
	return out;
}

static bool
is_same(const struct text *a, const struct text *b)
{
	return a->length == b->length &&
	    memcmp(a->octets, b->octets, a->length) == 0;
}

/* Whether another text, which is freed, has the same canonical form. */
static bool
is_form_of(const struct text *form, bool is_field, char *text, size_t length)
{
	struct text other = pass(is_field, text, length, 1000);
	bool result = is_same(form, &other);

	free(other.octets);
	free(text);
	return result;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether a message in the spool may contain the text: there is no bare CR or
 * LF, and the continuation lines of a field begin with a blank. */
static bool
is_usual(bool is_field, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			return false;
		if (text[i] != '\r')
			continue;
		if (++i == length || text[i] != '\n' ||
		    (is_field && i + 1 < length && !is_blank(text[i + 1])))
			return false;
	}
	return true;
}

/* Return the text with a tab after each space, and a space before each end of
 * line; the caller frees it. */
static char *
respace(const char *text, size_t length, size_t *ret_length)
{
	char *copy = malloc(2 * length + 1);
	size_t used = 0;

	must(copy != NULL);
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\r')
			copy[used++] = ' ';
		copy[used++] = text[i];
		if (text[i] == ' ')
			copy[used++] = '\t';
	}
	*ret_length = used;
	return copy;
}

static void
check_form(const struct text *form, bool is_field)
{
	const char *text = form->octets;
	size_t length = form->length;

	must(memmem(text, length, "  ", 2) == NULL);
	must(memchr(text, '\t', length) == NULL);
	must(memmem(text, length, " \r\n", 3) == NULL);
	if (is_field)
		must(memmem(text, length, "\r\n", 2) == NULL);
	else if (length > 0)
		must(length > 2 && memcmp(text + length - 2, "\r\n", 2) == 0 &&
		    (length < 4 || memcmp(text + length - 4, "\r\n", 2) != 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool is_field = fuzz_take(&data, &size, "field:");
	char *text = fuzz_copy(data, size), *copy;
	struct text form = pass(is_field, text, size, 1000);
	struct text pieces = pass(is_field, text, size, 1);
	size_t length;

	must(is_same(&form, &pieces));
	free(pieces.octets);
	if (is_usual(is_field, text, size)) {
		check_form(&form, is_field);
		copy = respace(text, size, &length);
		must(is_form_of(&form, is_field, copy, length));
		copy = fuzz_copy((const uint8_t *)form.octets, form.length);
		must(is_form_of(&form, is_field, copy, form.length));
	}
	free(form.octets);
	free(text);
	return 0;
}
