/* SPDX-License-Identifier: ISC */

/*
 * pathstate.c - detect that paths lead to other files than before.
 */

#include "config.h"

#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/pathstate.h"

uint64_t
pathstate_add(uint64_t identity, const char *path)
{
	uint64_t facts[3] = { 0 }; /* zeros: a missing file */
	struct stat st;

	if (stat(path, &st) == 0) {
		facts[0] = st.st_dev;
		facts[1] = st.st_ino;
		facts[2] = (uint64_t)st.st_uid + 1;
	}
	return XXH3_64bits_withSeed(facts, sizeof(facts), identity);
}
