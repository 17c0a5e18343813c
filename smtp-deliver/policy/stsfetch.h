/* SPDX-License-Identifier: ISC */

#ifndef STSFETCH_H
#define STSFETCH_H

#include <sys/types.h>

#include <stdbool.h>

#include "smtp-deliver/settings.h"
#include "lib/spool/cache.h"
#include "smtp-deliver/policy/sts.h"

#define STSFETCH_FAILURE_SIZE 256

/* What was found out about the policy of a domain. */
struct stsfetch_answer {
	struct sts_policy policy; /* STS_NONE: no policy, or not available */
	int is_kept; /* not 0: it was fetched by an earlier process. An int:
		      * another process sends it. */
	char failure[STSFETCH_FAILURE_SIZE]; /* why the current policy could not
					      * be fetched, or "" */
};

/*
 * A process beside a worker that finds the MTA-STS policy of the worker's
 * destination on request, and keeps it in the spool: it has other rights than a
 * worker (sandbox.h). It exits when the worker closes their socket.
 */
struct stsfetch {
	int fd; /* to the process, or to the worker; -1: no process */
	int error; /* why not; 0: the destination can have no policy */
	char domain[DNS_NAME_SIZE]; /* as the DNS has it */
	struct cache_place place; /* its folder_fd is -1: nothing is kept */
	bool is_asked; /* stsfetch_ask() has been called */
	struct stsfetch_answer answer; /* since then */
};

/*
 * Find the domain's place in the spool. For a worker that still has the spool's
 * descriptors; it keeps place.folder_fd, unless that is -1.
 *
 * destination	a domain or an address literal; NULL: no policy is of interest.
 * spool	NULL: policies are fetched, and not kept.
 */
void stsfetch_prepare(struct stsfetch *stsfetch, struct spool *spool,
    const char *destination);

/* Fork the process, before the worker's sandbox forbids that, if the
 * destination can have a policy. Returns true in the new process: it must wipe
 * secrets that only a worker needs and call stsfetch_serve(). */
bool stsfetch_fork(struct stsfetch *stsfetch);

/* Be that process.
 *
 * worker	the process that forked it.
 */
_Noreturn void stsfetch_serve(const struct stsfetch *stsfetch,
    const struct deliver_settings *settings, pid_t worker);

/* Get the policy (RFC 8461 section 5) into stsfetch->answer: ask the process
 * and wait for it, the first time. Returns 0, or a negative errno if this host
 * is unable to find out. */
int stsfetch_ask(struct stsfetch *stsfetch);

#endif
