/* SPDX-License-Identifier: ISC */

/*
 * tlshello.c - odd octets in a client's names for the server are found and
 * replaced; nothing else is, and malformed hellos do no harm.
 */

#include "config.h"

#include <stdlib.h>

#include "lib/tlshello.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define FIXED  \
	"\3\3" \
	"0123456789abcdef0123456789abcdef"
#define LISTS    \
	"\1s"    \
	"\0\2cc" \
	"\1\0" /* session id, cipher suites, compression */
#define START FIXED LISTS
#define HELLO(extensions)                                      \
	{                                                      \
		START extensions, sizeof(START extensions) - 1 \
	}

/* clang-format off */
static const struct { struct { const char *p; size_t size; } before, after; } hellos[] = {
	{ HELLO("\0\x0e" "\0\0\0\x0a\0\x08\0\0\5a_b c"),
	  HELLO("\0\x0e" "\0\0\0\x0a\0\x08\0\0\5axbxc") },
	/* Another extension before it. */
	{ HELLO("\0\x11" "\0\x0a\0\2__" "\0\0\0\7\0\5\0\0\2_1"),
	  HELLO("\0\x11" "\0\x0a\0\2__" "\0\0\0\7\0\5\0\0\2x1") },
	/* Two names. */
	{ HELLO("\0\x0f" "\0\0\0\x0b\0\x09\0\0\1_" "\0\0\2a*"),
	  HELLO("\0\x0f" "\0\0\0\x0b\0\x09\0\0\1x" "\0\0\2ax") },
	/* Nothing to change. */
	{ HELLO("\0\x0d" "\0\0\0\x09\0\7\0\0\4a-.9"), { NULL, 0 } },
	{ HELLO("\0\6" "\0\x0a\0\2__"), { NULL, 0 } },
	{ HELLO(""), { NULL, 0 } },
	/* Malformed: sizes that are too large. */
	{ HELLO("\0\xff" "\0\0\0\7\0\5\0\0\2_1"), { NULL, 0 } },
	{ HELLO("\0\x0b" "\0\0\0\xff\0\5\0\0\2_1"), { NULL, 0 } },
	{ HELLO("\0\x0b" "\0\0\0\7\0\xff\0\0\2_1"), { NULL, 0 } },
	{ HELLO("\0\x0b" "\0\0\0\7\0\5\0\0\xff_1"), { NULL, 0 } },
};
/* clang-format on */

/* In memory of its own size, so that sanitizers see what is outside of it. */
static void
check(const char *before, size_t size, const char *after)
{
	unsigned char *hello = malloc(size + (size == 0));

	need(hello != NULL);
	memcpy(hello, before, size);
	is_int(tlshello_has_odd_names(hello, size), after != NULL,
	    "%zu octets: whether there are odd names", size);
	ok(memcmp(hello, before, size) == 0, "which changes nothing");
	tlshello_tame_names(hello, size);
	ok(memcmp(hello, after != NULL ? after : before, size) == 0,
	    "and they are tamed");
	is_int(tlshello_has_odd_names(hello, size), false, "all of them");
	free(hello);
}

int
main(void)
{
	for (size_t i = 0; i < COUNT(hellos); i++)
		check(hellos[i].before.p, hellos[i].before.size,
		    hellos[i].after.p);
	for (size_t size = 0; size < hellos[0].before.size; size++)
		check(hellos[0].before.p, size, NULL);
	return done_testing();
}
