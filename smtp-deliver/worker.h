/* SPDX-License-Identifier: ISC */

#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/settings.h"
#include "smtp-deliver/fetcher.h"
#include "smtp-deliver/task.h"

/* What a worker tells, a packet each. */
struct report {
	size_t job; /* of the jobs it was given */
	unsigned char is_done; /* all is said about that job */
	size_t recipient; /* else: of the job's, and what became of it */
	struct verdict verdict;
};

/*
 * The life of a worker process: do the jobs at one destination, one after the
 * other over one connection if that holds, and report. After a job's last
 * report nothing happens until an octet has come back: what it said is on
 * record then. The end of input means that no more is to be done.
 *
 * fd		a socket of packets to who gave the jobs.
 * fetcher	the process that finds the destination's policy.
 */
void worker_work(int fd, const char *destination, struct job *const *jobs,
    size_t job_count, struct fetcher *fetcher, const struct settings *settings);

#endif
