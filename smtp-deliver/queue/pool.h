/* SPDX-License-Identifier: ISC */

#ifndef POOL_H
#define POOL_H

#include <sys/queue.h>

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp-deliver/settings.h"
#include "lib/spool/spool.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/queue/destination.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/route/rules.h"
#include "smtp-deliver/queue/task.h"

/* How a job came back from a worker. */
enum job_end {
	JOB_ANSWERED, /* with its verdicts, of a host */
	JOB_UNREACHABLE, /* with its verdicts: no host could be connected to */
	JOB_UNUSABLE, /* with its verdicts: one could, and none be used */
	JOB_JUDGED, /* with its verdicts, that are about no host */
	JOB_NO_ROUTE, /* untried, for there is no network; the verdicts tell */
	JOB_NO_RESOLVER, /* likewise, and it is so for all that needs the DNS */
	JOB_GIVEN_BACK, /* untried, or with verdicts for some */
};

/* A worker process, as seen from here; private to pool.c. */
struct pool_worker;
TAILQ_HEAD(pool_worker_list, pool_worker);

/* The workers of a run. */
struct pool {
	const struct deliver_settings *settings;
	struct spool *spool; /* where policies of domains are kept */
	struct dkim *dkim; /* who signs, or NULL */
	const struct rules *rules; /* where mail may go */
	struct credentials *credentials; /* who we are for relays */
	/* What to do when some of a job's recipients have verdicts that are
	 * final. Its worker waits meanwhile. Returns whether it may go on. */
	bool (*note_progress)(void *context, struct task_job *job);
	/* What to do with a job that comes back. Its worker waits meanwhile.
	 * Returns whether it may go on. */
	bool (*end_job)(void *context, struct destination *destination,
	    struct task_job *job, enum job_end end);
	/* The next job for a worker that has done so many. NULL: it is to go
	 * home. */
	struct task_job *(*next_job)(void *context,
	    struct destination *destination, size_t done);
	/* A destination has lost a worker. */
	void (*end_worker)(void *context, struct destination *destination);
	void *context;
	bool is_closing; /* workers are to go home after the job they do */
	bool is_abandoned;
	size_t count;
	struct pool_worker_list workers;
};

/* Whether there may be one more worker. */
bool pool_has_room(const struct pool *pool);

/* Give a destination that has jobs one more worker. Returns whether there are
 * the means for that. */
bool pool_start(struct pool *pool, struct destination *destination);

/* Fill in what to poll(2) for; ret_pfds has room for SETTINGS_WORKERS_MAX.
 * Returns how many. Then hear those that have something to tell. */
nfds_t pool_get_pollfds(const struct pool *pool, struct pollfd *ret_pfds);
void pool_hear(struct pool *pool, const struct pollfd *pfds, nfds_t count);

/* Take all jobs back from workers that go on too long, or from those that are
 * not just giving a host a message. They begin nothing more, and die with us. */
void pool_abandon(struct pool *pool);
void pool_abandon_waiting(struct pool *pool);

/* Wait until the last worker has gone home, but not longer than until a time on
 * clock_mono_ms()'s clock, and not if they are abandoned. */
void pool_wait(const struct pool *pool, int64_t until_ms);

#endif
