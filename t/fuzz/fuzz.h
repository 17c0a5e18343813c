/* SPDX-License-Identifier: ISC */

#ifndef FUZZ_H
#define FUZZ_H

/*
 * What every fuzz target stands on. A target is a function that libFuzzer calls
 * with one input after the other; must() says what has to hold besides that
 * nothing crashes.
 *
 * FUZZ_PLANTED is set in builds with a fault in the target, which is to be
 * found: they are the test of the test.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef FUZZ_PLANTED
#define IS_PLANTED true
#else
#define IS_PLANTED false
#endif

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that does not hold is a finding. */
#define must(condition) \
	((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))

static inline _Noreturn void
fuzz_fail(const char *file, int line, const char *condition)
{
	(void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line,
	    condition);
	abort();
}

/* The input as a string of its own, up to its first NUL; the caller frees. */
static inline char *
fuzz_text(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	must(text != NULL);
	return text;
}

/* The input in memory of exactly its size, so that the sanitizer detects
 * reading past its end; the caller frees. */
static inline char *
fuzz_copy(const uint8_t *data, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);

	must(copy != NULL);
	memcpy(copy, data, size);
	return copy;
}

/* Whether the input begins with that; if so it is taken off. */
static inline bool
fuzz_take(const uint8_t **data, size_t *size, const char *text)
{
	size_t length = strlen(text);

	if (*size < length || memcmp(*data, text, length) != 0)
		return false;
	*data += length;
	*size -= length;
	return true;
}

static inline bool
fuzz_is_printable(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

#endif
