/* SPDX-License-Identifier: ISC */

#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdint.h>

/* Counts since the spool was made. Names and help are in counters.c. */
enum counter {
	COUNTER_MESSAGES_QUEUED,
	COUNTER_MESSAGES_DELIVERED,
	COUNTER_DELIVERY_FAILURES,
	COUNTERS,
};

/* Counters that all programs share: one file, changed under a lock. */
struct counters;

/*
 * Use the file of counters.
 *
 * fd	from spool_open_counters(); it is closed by counters_close(), or here
 *	on error.
 *
 * Returns 0 or -ENOMEM.
 */
int counters_open(int fd, struct counters **ret_counters);
void counters_close(struct counters *counters);

/* Both accept NULL, for counters that could not be opened: mail goes on. */
void counters_add(struct counters *counters, enum counter counter,
    uint64_t amount);
uint64_t counters_get(const struct counters *counters, enum counter counter);

/* As /metrics shows it. */
const char *counter_name(enum counter counter);
const char *counter_help(enum counter counter);

#endif
