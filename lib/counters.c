/* SPDX-License-Identifier: ISC */

/*
 * counters.c - counters in a file.
 *
 * Slots of 8 octets in the order of enum counter: new ones go to the end. A
 * slot is locked, read and written. A mapping would need no lock, but a store
 * into it kills the process if the disk is full or the file was truncated.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/counters.h"

#define LOCK_TRIES 200 /* about 2 s */
#define LOCK_WAIT_MIN_NSEC (50 * 1000)
#define LOCK_WAIT_MAX_NSEC (10 * 1000 * 1000)

struct counters {
	int fd;
};

struct description {
	const char *name;
	const char *help;
};

static const struct description descriptions[COUNTERS] = {
	[COUNTER_MESSAGES_QUEUED] = { "smtp_messages_queued_total",
	    "Messages accepted into the queue." },
	[COUNTER_MESSAGES_DELIVERED] = { "smtp_messages_delivered_total",
	    "Recipients that a remote host has accepted." },
	[COUNTER_DELIVERY_FAILURES] = { "smtp_delivery_failures_total",
	    "Failed delivery attempts, per recipient." },
};

int
counters_open(int fd, struct counters **ret_counters)
{
	struct counters *counters = malloc(sizeof(*counters));

	if (counters == NULL) {
		close(fd);
		return -ENOMEM;
	}
	counters->fd = fd;
	*ret_counters = counters;
	return 0;
}

void
counters_close(struct counters *counters)
{
	if (counters == NULL)
		return;
	close(counters->fd);
	free(counters);
}

static off_t
slot_offset(enum counter counter)
{
	return (off_t)counter * (off_t)sizeof(uint64_t);
}

/* Lock or unlock a slot against other processes. A lock is held for a moment,
 * unless its holder hangs: mail does not wait for that. */
static int
set_lock(const struct counters *counters, enum counter counter, short type)
{
	struct flock lock = { .l_type = type,
		.l_whence = SEEK_SET,
		.l_start = slot_offset(counter),
		.l_len = sizeof(uint64_t) };
	struct timespec wait = { .tv_nsec = LOCK_WAIT_MIN_NSEC };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (fcntl(counters->fd, F_OFD_SETLK, &lock) == 0)
			return 0;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return -1;
		(void)nanosleep(&wait, NULL);
		if (wait.tv_nsec < LOCK_WAIT_MAX_NSEC)
			wait.tv_nsec *= 2;
	}
	return -1;
}

/* A slot past the end of the file counts as 0. */
static uint64_t
read_slot(const struct counters *counters, enum counter counter)
{
	uint64_t value;

	if (pread(counters->fd, &value, sizeof(value), slot_offset(counter)) !=
	    sizeof(value))
		return 0;
	return value;
}

void
counters_add(struct counters *counters, enum counter counter, uint64_t amount)
{
	uint64_t value;

	if (counters == NULL || set_lock(counters, counter, F_WRLCK) == -1)
		return;
	value = read_slot(counters, counter) + amount;
	/* A count that cannot be written is lost: mail goes on. */
	(void)!pwrite(counters->fd, &value, sizeof(value),
	    slot_offset(counter));
	(void)set_lock(counters, counter, F_UNLCK);
}

uint64_t
counters_get(const struct counters *counters, enum counter counter)
{
	return counters != NULL ? read_slot(counters, counter) : 0;
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
