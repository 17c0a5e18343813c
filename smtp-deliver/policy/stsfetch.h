/* SPDX-License-Identifier: ISC */

#ifndef STSFETCH_H
#define STSFETCH_H

#include "smtp-deliver/settings.h"
#include "lib/spool/cache.h"
#include "smtp-deliver/policy/sts.h"

/*
 * A process beside a worker that finds the MTA-STS policy of its destination,
 * when it is asked, and keeps it in the spool: other rights than a worker has
 * (sandbox.h). It ends with the worker's end of their socket.
 */
struct stsfetch {
	int fd; /* to the process, or -1: there is none */
	int error; /* why, or 0: there can be no policy */
	char domain[DNS_NAME_SIZE]; /* as the DNS has it */
	struct cache_place place; /* its folder_fd is -1: nothing is kept */
};

#define STSFETCH_FAILURE_SIZE 256

/* What it has found. */
struct stsfetch_answer {
	struct sts_policy policy; /* STS_NONE: none, or none that can be had */
	int is_kept; /* not 0: it is one that was fetched before */
	char failure[STSFETCH_FAILURE_SIZE]; /* why the one that the domain has
					     * now could not be, or "" */
};

/* Find the place in the spool, before all that is not needed is closed; its
 * descriptor, if it is not -1, is to be kept. No destination: there is none
 * that has a policy. No spool: what is fetched is not kept. */
void stsfetch_prepare(struct stsfetch *stsfetch, struct spool *spool,
    const char *destination);

/*
 * Start the process: before the worker's wall is closed, which forks nothing.
 *
 * forget	called there first: wipes secrets that only a worker needs.
 *		NULL: there are none.
 */
void stsfetch_start(struct stsfetch *stsfetch,
    const struct deliver_settings *settings,
    void (*forget)(const void *context), const void *context);

/* Ask for the policy, and wait for it (RFC 8461 section 5). To be called once.
 * Returns 0, or a negative errno: nobody knows, for something is wrong on this
 * host. */
int stsfetch_ask(struct stsfetch *stsfetch, struct stsfetch_answer *ret_answer);

#endif
