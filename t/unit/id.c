/* SPDX-License-Identifier: ISC */

/*
 * id.c - ids are 24 digits, unique, and contain the time of their creation.
 */

#include "config.h"

#include "lib/clock.h"
#include "lib/id.h"
#include "t/unit/tap.h"

#define IDS 10000

/* clang-format off */
static const struct { const char *text; bool result; } rows[] = {
	{ "0123456789abcdef01234567", true },
	{ "000000000000000000000000", true },
	{ "", false },
	{ "0123456789abcdef0123456", false },
	{ "0123456789abcdef012345678", false },
	{ "0123456789ABCDEF01234567", false },
	{ "0123456789abcdefg1234567", false },
	{ "0123456789abcdef 1234567", false },
	{ "../../../../../etc/shado", false },
	{ ".", false },
};

static const struct { const char *id; int64_t time_ms; } times[] = {
	{ "000000000000ffffffffffff", 0 },
	{ "000000000001000000000000", 1 },
	{ "019aacd18c4b5d0c7f3a9be1", 1763836005451 },
	{ "ffffffffffff000000000000", 281474976710655 },
};
/* clang-format on */

static char ids[IDS][ID_SIZE];

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
made_ids_are_ids(void)
{
	int64_t before_ms = clock_real_ms(), after_ms;
	unsigned wrong = 0, early_or_late = 0, same = 0;

	for (int i = 0; i < IDS; i++)
		need(id_make(ids[i]) == 0);
	after_ms = clock_real_ms();
	for (int i = 0; i < IDS; i++) {
		int64_t time_ms = id_real_ms(ids[i]);

		wrong += !is_id(ids[i]);
		early_or_late += time_ms < before_ms || time_ms > after_ms;
	}
	qsort(ids, IDS, ID_SIZE, compare);
	for (int i = 1; i < IDS; i++)
		same += strcmp(ids[i - 1], ids[i]) == 0;
	is_int(wrong, 0, "every id that is made is valid");
	is_int(early_or_late, 0, "every id holds the time when it was made");
	is_int(same, 0, "no id is made twice");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		is_int(is_id(rows[i].text), rows[i].result, "is_id(\"%s\")",
		    rows[i].text);
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		is_int(id_real_ms(times[i].id), times[i].time_ms,
		    "the time in %s", times[i].id);
	made_ids_are_ids();
	return done_testing();
}
