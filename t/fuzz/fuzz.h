/* SPDX-License-Identifier: ISC */

#ifndef FUZZ_H
#define FUZZ_H

/*
 * The common parts of the fuzz targets. A target is a function that libFuzzer
 * calls with one input after another; must() checks a property that has to
 * hold, besides that nothing crashes.
 *
 * FUZZ_PLANTED is defined in builds whose target contains a deliberate fault:
 * t/fuzz.bats expects fuzzing to find it.
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

/* Abort if a property does not hold: that is a finding. */
#define must(condition) \
	((condition) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #condition))

static inline _Noreturn void
fuzz_fail(const char *file, int line, const char *condition)
{
	(void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line,
	    condition);
	abort();
}

/* Return a copy of the input as a string, up to its first NUL; the caller frees
 * it. */
static inline char *
fuzz_text(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);

	must(text != NULL);
	return text;
}

/* Return a copy of the input of exactly its size, so that the sanitizer detects
 * reads past its end; the caller frees it. */
static inline char *
fuzz_copy(const uint8_t *data, size_t size)
{
	char *copy = malloc(size > 0 ? size : 1);

	must(copy != NULL);
	memcpy(copy, data, size);
	return copy;
}

/* Whether the input begins with the text, which is then skipped. */
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
