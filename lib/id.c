/* SPDX-License-Identifier: ISC */

/*
 * id.c - ids of messages and sessions.
 */

#include "config.h"

#include <sys/random.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/id.h"

#define TIME_DIGITS 12
#define LOW_48_BITS UINT64_C(0xffffffffffff)

int
id_make(char ret_id[ID_SIZE])
{
	uint64_t chance;

	if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
		return -EIO;
	(void)snprintf(ret_id, ID_SIZE, "%012" PRIx64 "%012" PRIx64,
	    (uint64_t)clock_real_ms() & LOW_48_BITS, chance & LOW_48_BITS);
	return 0;
}

bool
is_id(const char *text)
{
	return strlen(text) == ID_SIZE - 1 &&
	    strspn(text, "0123456789abcdef") == ID_SIZE - 1;
}

int64_t
id_real_ms(const char *id)
{
	char digits[TIME_DIGITS + 1];

	memcpy(digits, id, TIME_DIGITS);
	digits[TIME_DIGITS] = '\0';
	return (int64_t)strtoull(digits, NULL, 16);
}
