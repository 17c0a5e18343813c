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
	JOB_ANSWERED, /* with verdicts: a host was usable */
	JOB_UNREACHABLE, /* with verdicts: no connection to any host */
	JOB_UNUSABLE, /* with verdicts: hosts answer, and none is usable */
	JOB_CROWDED, /* with verdicts: all deferred over a new connection */
	JOB_JUDGED, /* with verdicts that are not about hosts */
	JOB_NO_ROUTE, /* untried without a network; the verdicts say why */
	JOB_NO_RESOLVER, /* untried without the DNS */
	JOB_GIVEN_BACK, /* untried, or with verdicts for some recipients */
};

/* A worker process, private to pool.c. */
struct pool_worker;
TAILQ_HEAD(pool_worker_list, pool_worker);

/* The workers of a run. */
struct pool {
	const struct deliver_settings *settings;
	struct spool *spool; /* where policies of domains are kept */
	struct dkim *dkim; /* signing keys, or NULL */
	const struct rules *rules; /* routes */
	struct credentials *credentials; /* for relays */

	/* For pool.c alone. */
	bool is_closing;
	bool is_abandoned;
	size_t count;
	struct pool_worker_list workers;
	struct pool_worker_list heard; /* pool_next() asks these */
};

/* What workers report, and how the caller answers. */
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

/* Start a worker for a destination: pool_next() then reports that it is idle.
 * Returns 0 or a negative errno. */
int pool_start(struct pool *pool, struct destination *destination);

/* Fill in descriptors for poll(2); ret_pfds has room for SETTINGS_WORKERS_MAX.
 * Returns how many. Pass the result to pool_note_readable() before any worker
 * starts or ends. */
nfds_t pool_get_pollfds(const struct pool *pool, struct pollfd *ret_pfds);
void pool_note_readable(struct pool *pool, const struct pollfd *pfds,
    nfds_t count);

/*
 * Return the next event. The caller puts on record what it says, and answers
 * it, before it asks for the next one (promise P2).
 *
 * Returns whether there is an event.
 */
bool pool_next(struct pool *pool, struct pool_event *ret_event);

/* Let a worker continue its job; give it a job. Every job comes back by
 * POOL_JOB_DONE. */
void pool_go_on(struct pool *pool, struct pool_worker *worker);
void pool_give_job(struct pool *pool, struct pool_worker *worker,
    struct task_job *job);

/* End a worker: POOL_JOB_DONE follows if it has a job, then POOL_WORKER_GONE.
 * Does nothing to a worker that is leaving already. */
void pool_dismiss(struct pool *pool, struct pool_worker *worker);

/* Give no more jobs: workers end after those that they have. */
void pool_close(struct pool *pool);
bool pool_is_closing(const struct pool *pool);

/* Take all jobs back from a pool that is closing; pool_abandon_waiting(): from
 * workers that are not sending a message just now. pool_next() returns what
 * they have reported so far, then that they are gone. Such a worker begins no
 * other message, and dies with this process. */
void pool_abandon(struct pool *pool);
void pool_abandon_waiting(struct pool *pool);

/* Wait until the last worker has ended, but not longer than until then, and not
 * for abandoned ones. */
void pool_wait(const struct pool *pool, int64_t until_mono_ms);

#endif
