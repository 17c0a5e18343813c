/* SPDX-License-Identifier: ISC */

/*
 * counters.c - counters in a mapped file.
 *
 * Slots of 8 octets in the order of enum counter: new ones go to the end, and
 * a file that is too short is made longer, with zeros.
 */

#include "config.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/counters.h"

#define FILE_SIZE 4096

struct counters {
	_Atomic uint64_t slots[FILE_SIZE / sizeof(uint64_t)];
};

struct description {
	const char *name;
	const char *help;
};

static const struct description descriptions[COUNTERS] = {
	[COUNTER_MESSAGES_QUEUED] = { "smtp_messages_queued_total",
	    "Messages accepted into the queue." },
	[COUNTER_MESSAGES_DELIVERED] = { "smtp_messages_delivered_total",
	    "Recipients' copies that a remote host has taken." },
	[COUNTER_DELIVERY_FAILURES] = { "smtp_delivery_failures_total",
	    "Delivery attempts for a recipient that did not succeed." },
};

int
counters_open(int fd, struct counters **ret_counters)
{
	struct stat st;
	void *map = MAP_FAILED;
	int r = 0;

	if (fstat(fd, &st) == -1 ||
	    (st.st_size < FILE_SIZE && ftruncate(fd, FILE_SIZE) == -1))
		r = -errno;
	else if ((map = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, 0)) == MAP_FAILED)
		r = -errno;
	close(fd);
	if (r == 0)
		*ret_counters = map;
	return r;
}

void
counters_close(struct counters *counters)
{
	if (counters != NULL)
		(void)munmap(counters, FILE_SIZE);
}

void
counters_add(struct counters *counters, enum counter counter, uint64_t amount)
{
	if (counters != NULL)
		atomic_fetch_add(&counters->slots[counter], amount);
}

uint64_t
counters_get(const struct counters *counters, enum counter counter)
{
	return counters != NULL ? atomic_load(&counters->slots[counter]) : 0;
}

const char *
counter_name(enum counter counter)
{
	return descriptions[counter].name;
}

const char *
counter_help(enum counter counter)
{
	return descriptions[counter].help;
}
