/* SPDX-License-Identifier: ISC */

/*
 * accept.c - the quality that Accept fields give to a type and its version.
 */

#include "config.h"

#include "smtp-health/accept.h"
#include "t/unit/tap.h"

/* clang-format off */
static const struct { const char *accept; int quality; } fields[] = {
	/* An empty field accepts everything. */
	{ "", 1000 },
	{ " \t", 1000 },
	/* Ranges that match, and some that do not. */
	{ "*/*", 1000 },
	{ "text/*", 1000 },
	{ "text/plain", 1000 },
	{ "text/plain;version=0.0.4", 1000 },
	{ "text/plain;version=1.0.0", 0 },
	{ "text/plain2", 0 },
	{ "text/html", 0 },
	{ "tex/*", 0 },
	{ "textual/*", 0 },
	{ "application/*", 0 },
	{ "*", 0 },
	/* Qualities. */
	{ "text/plain;q=0.5", 500 },
	{ "text/plain;q=.5", 500 },
	{ "text/plain;q=0.001", 1 },
	{ "text/plain;q=1.000", 1000 },
	{ "text/plain;q=0", 0 },
	{ "text/plain;q=0.000", 0 },
	{ "text/plain;q=", 0 },
	{ "text/plain;q", 0 },
	{ "text/plain;q=-1", 0 },
	{ "text/plain;q=1.1", 0 },
	{ "text/plain;q=nan", 0 },
	{ "text/plain;q=0.5x", 0 },
	/* Blanks, letter case, quotes, parameters that do not matter. */
	{ "  text/plain  ;  version = 0.0.4  ;  q = 0.5  ", 500 },
	{ "Text/PLAIN;Version=0.0.4;Q=0.5", 500 },
	{ "text/plain;version=\"0.0.4\";q=\"0.5\"", 500 },
	{ "text/plain;version=\"0.0.4;q=0.5", 0 },
	{ "text/plain;charset=utf-8;q=0.5;escaping=values", 500 },
	/* The most specific range counts, in any order. */
	{ "*/*;q=0.1,text/*;q=0.2,text/plain;q=0.3,text/plain;version=0.0.4;q=0.4", 400 },
	{ "text/plain;version=0.0.4;q=0.4,text/plain;q=0.3,text/*;q=0.2,*/*;q=0.1", 400 },
	{ "text/plain;q=0.3,text/*;q=0.9,*/*", 300 },
	{ "text/*;q=0.2,*/*", 200 },
	{ "text/plain;q=0,*/*", 0 },
	{ "text/plain;version=1.0.0,text/*;q=0.2", 200 },
	{ "text/plain;q=0.3,text/plain;q=0.6,text/plain;q=0.1", 600 },
	/* Ranges that cannot be parsed are ignored. */
	{ ",;,,=;=,/,text,;q=1,text/plain;q=0.5,", 500 },
	{ ",", 0 },
};
/* clang-format on */

int
main(void)
{
	char long_field[8192];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		is_int(accept_quality(fields[i].accept, "text/plain", "0.0.4"),
		    fields[i].quality, "\"%s\"", fields[i].accept);

	is_int(
	    accept_quality("application/json;q=0.5", "application/json", NULL),
	    500, "a type without a version");
	is_int(accept_quality("application/json;version=1", "application/json",
		   NULL),
	    0, "a version of a type that has none");

	memset(long_field, 'x', sizeof(long_field) - 1);
	long_field[sizeof(long_field) - 1] = '\0';
	is_int(accept_quality(long_field, "text/plain", "0.0.4"), 1000,
	    "a field that is too long is ignored");
	return done_testing();
}
