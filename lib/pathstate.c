/* SPDX-License-Identifier: ISC */

/*
 * pathstate.c - detect that paths lead to other files than before, or to
 * other contents.
 */

#include "config.h"

#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/pathstate.h"

enum fact {
	FACT_DEVICE,
	FACT_INODE,
	FACT_OWNER,
	FACT_SIZE,
	FACT_MODIFIED_SEC,
	FACT_MODIFIED_NSEC,
	FACT_CHANGED_SEC,
	FACT_CHANGED_NSEC,
	FACTS,
};

/* A missing file has zeros for all facts. */
static uint64_t
add(uint64_t identity, const char *path, enum fact count)
{
	uint64_t facts[FACTS] = { 0 };
	struct stat st;

	if (stat(path, &st) == 0) {
		facts[FACT_DEVICE] = st.st_dev;
		facts[FACT_INODE] = st.st_ino;
		facts[FACT_OWNER] = (uint64_t)st.st_uid + 1;
		facts[FACT_SIZE] = (uint64_t)st.st_size;
		facts[FACT_MODIFIED_SEC] = (uint64_t)st.st_mtim.tv_sec;
		facts[FACT_MODIFIED_NSEC] = (uint64_t)st.st_mtim.tv_nsec;
		facts[FACT_CHANGED_SEC] = (uint64_t)st.st_ctim.tv_sec;
		facts[FACT_CHANGED_NSEC] = (uint64_t)st.st_ctim.tv_nsec;
	}
	return XXH3_64bits_withSeed(facts, count * sizeof(facts[0]), identity);
}

uint64_t
pathstate_add(uint64_t identity, const char *path)
{
	return add(identity, path, FACT_SIZE);
}

uint64_t
pathstate_add_contents(uint64_t identity, const char *path)
{
	return add(identity, path, FACTS);
}
