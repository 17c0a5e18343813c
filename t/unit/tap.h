/* SPDX-License-Identifier: ISC */

#ifndef TAP_H
#define TAP_H

/*
 * Report the results of a unit test in the Test Anything Protocol, which
 * prove(1) reads: ok() and similar functions for each check, done_testing() at
 * the end of main().
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned tap_checks, tap_failures;

/* Print arbitrary text on one line. */
static inline void
tap_print(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < ' ' || c >= 0x7f || c == '#' || c == '\\')
			(void)printf("\\x%02x", c);
		else
			(void)putchar(c);
	}
}

__attribute__((format(printf, 2, 0))) static inline bool
tap_vok(bool is_ok, const char *format, va_list args)
{
	char name[512];

	(void)vsnprintf(name, sizeof(name), format, args);
	if (!is_ok)
		tap_failures++;
	(void)printf("%sok %u - ", is_ok ? "" : "not ", ++tap_checks);
	tap_print(name);
	(void)putchar('\n');
	(void)fflush(stdout); /* a child must not write it again */
	return is_ok;
}

static inline void
tap_differ(const char *got, const char *expected)
{
	(void)printf("#      got: ");
	tap_print(got);
	(void)printf("\n# expected: ");
	tap_print(expected);
	(void)putchar('\n');
	(void)fflush(stdout);
}

__attribute__((format(printf, 2, 3))) static inline bool
ok(bool is_ok, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)tap_vok(is_ok, format, args);
	va_end(args);
	return is_ok;
}

__attribute__((format(printf, 3, 4))) static inline bool
is_int(int64_t got, int64_t expected, const char *format, ...)
{
	char got_text[32], expected_text[32];
	va_list args;

	va_start(args, format);
	(void)tap_vok(got == expected, format, args);
	va_end(args);
	if (got != expected) {
		(void)snprintf(got_text, sizeof(got_text), "%" PRId64, got);
		(void)snprintf(expected_text, sizeof(expected_text), "%" PRId64,
		    expected);
		tap_differ(got_text, expected_text);
	}
	return got == expected;
}

__attribute__((format(printf, 3, 4))) static inline bool
is_str(const char *got, const char *expected, const char *format, ...)
{
	bool is_same = strcmp(got, expected) == 0;
	va_list args;

	va_start(args, format);
	(void)tap_vok(is_same, format, args);
	va_end(args);
	if (!is_same)
		tap_differ(got, expected);
	return is_same;
}

/* Compare octets that may contain NULs. */
__attribute__((format(printf, 5, 6))) static inline bool
is_mem(const void *got, size_t got_size, const void *expected,
    size_t expected_size, const char *format, ...)
{
	bool is_same = got_size == expected_size &&
	    memcmp(got, expected, expected_size) == 0;
	va_list args;

	va_start(args, format);
	(void)tap_vok(is_same, format, args);
	va_end(args);
	if (!is_same)
		(void)printf("#      got: %zu octets\n# expected: %zu octets\n",
		    got_size, expected_size);
	return is_same;
}

/* A precondition of the test. Not a check: the test stops without it. */
#define need(condition)                                                 \
	do {                                                            \
		if (!(condition)) {                                     \
			(void)printf("Bail out! %s:%d: %s\n", __FILE__, \
			    __LINE__, #condition);                      \
			exit(1);                                        \
		}                                                       \
	} while (0)

/* Print the plan. Returns the exit status of main(). */
static inline int
done_testing(void)
{
	(void)printf("1..%u\n", tap_checks);
	return tap_failures > 0;
}

#endif
