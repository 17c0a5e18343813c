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

	/* For pool.c alone. */
	bool is_closing;
	bool is_abandoned;
	size_t count;
	struct pool_worker_list workers;
	struct pool_worker_list heard; /* those that pool_next() asks */
};

/* What workers tell, and what a caller owes them for it. */
enum pool_event_kind {
	/* Some of a job's recipients have final verdicts. The worker waits:
	 * pool_go_on() or pool_dismiss(). */
	POOL_PROGRESS,
	/* A job came back: it is the caller's. Its worker may be dismissed. */
	POOL_JOB_DONE,
	/* A worker has no job: pool_give_job() or pool_dismiss(). */
	POOL_WORKER_IDLE,
	/* A worker is gone. */
	POOL_WORKER_GONE,
};

struct pool_event {
	enum pool_event_kind kind;
	struct destination *destination; /* of the worker */
	struct pool_worker *worker; /* NULL if it is gone */
	struct task_job *job; /* PROGRESS, JOB_DONE */
	enum job_end end; /* JOB_DONE */
	size_t jobs_done; /* WORKER_IDLE: by this worker */
};

void pool_init(struct pool *pool);

/* Whether there may be one more worker. */
bool pool_has_room(const struct pool *pool);
bool pool_is_empty(const struct pool *pool);

/* Start a worker for a destination; pool_next() tells that it is idle. Returns
 * 0, or a negative errno. */
int pool_start(struct pool *pool, struct destination *destination);

/* Fill in what to poll(2) for; ret_pfds has room for SETTINGS_WORKERS_MAX.
 * Returns how many. Then note which workers have something to tell, before any
 * worker starts or goes. */
nfds_t pool_get_pollfds(const struct pool *pool, struct pollfd *ret_pfds);
void pool_note_readable(struct pool *pool, const struct pollfd *pfds,
    nfds_t count);

/*
 * Get what workers have to tell, one event after the other, worker by worker.
 * The caller acts upon an event, puts on record what it tells, and answers it
 * before it asks for the next one.
 *
 * Returns whether there is an event.
 */
bool pool_next(struct pool *pool, struct pool_event *ret_event);

/* Let a worker go on with its job, or give it another one, which comes back by
 * POOL_JOB_DONE in any case. */
void pool_go_on(struct pool *pool, struct pool_worker *worker);
void pool_give_job(struct pool *pool, struct pool_worker *worker,
    struct task_job *job);

/* End a worker: POOL_JOB_DONE follows if it has a job, then POOL_WORKER_GONE.
 * Does nothing to one that is on its way already. */
void pool_dismiss(struct pool *pool, struct pool_worker *worker);

/* Ask for no more of workers than the jobs that they have. */
void pool_close(struct pool *pool);
bool pool_is_closing(const struct pool *pool);

/* Of a pool that closes: take all jobs back, or those of workers that are not
 * sending a message just now. pool_next() tells what they have reported so far,
 * then that they are gone. They begin nothing more, and die with us. */
void pool_abandon(struct pool *pool);
void pool_abandon_waiting(struct pool *pool);

/* Wait until the last worker has gone home, but not longer than until a time on
 * clock_mono_ms()'s clock, and not if they are abandoned. */
void pool_wait(const struct pool *pool, int64_t until_mono_ms);

#endif
