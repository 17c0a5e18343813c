/* SPDX-License-Identifier: ISC */

/*
 * pool.c - worker processes, some for each destination that has jobs.
 *
 * A worker is forked for a destination and closes a wall around itself that has
 * nothing but a socket in it. Over that it is given one job at a time, with the
 * message (order.c), and reports; its end, whatever the reason, shows as the end
 * of the socket. Which job is next, and what a report means, is the caller's
 * business.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/sandbox.h"
#include "smtp-deliver/fetcher.h"
#include "smtp-deliver/order.h"
#include "smtp-deliver/pool.h"
#include "smtp-deliver/wall.h"
#include "smtp-deliver/worker.h"

struct pool_worker {
	TAILQ_ENTRY(pool_worker) entries;
	struct destination *destination;
	int fd;
	size_t done; /* jobs */
	struct job *job; /* NULL: it has come back */
};

static void
log_trouble(int error)
{
	char reason[128];

	(void)snprintf(reason, sizeof(reason), "no worker: %s",
	    strerror(-error));
	audit_write(&(struct audit_record){
	    .event = AUDIT_TROUBLE,
	    .reason = reason,
	});
}

/* In a new worker: let go of what is not its own, above all of the claims,
 * which it would hold on to beyond the end of their tasks. */
static void
drop_others(int fd, int policies_fd)
{
	int kept[3] = { fd };
	size_t count = 1;

	if (policies_fd >= 0)
		kept[count++] = policies_fd;
	if (audit_fd() >= 0)
		kept[count++] = audit_fd();
	sandbox_keep_only(kept, count);
}

/* What we hand on by fork(2) is for workers, not for the fetcher beside one. */
static void
forget_secrets(const void *context)
{
	const struct pool *pool = context;

	dkim_close(pool->dkim);
}

_Noreturn static void
become_worker(const struct pool *pool, const struct pool_worker *own, int fd,
    pid_t parent)
{
	struct fetcher fetcher;
	struct way way;

	/* Nobody would record what an orphan does. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	fetcher_prepare(&fetcher, pool->spool,
	    way_parse_name(own->destination->name, &way) == 0
		? way_policy_domain(&way)
		: NULL);
	drop_others(fd, fetcher.place.folder_fd);
	fetcher_start(&fetcher, pool->settings, forget_secrets, pool);
	wall_close_worker(pool->settings, pool->rules);
	worker_work(fd, own->destination, &fetcher, pool->settings, pool->dkim,
	    pool->credentials);
	_exit(0);
}

/* Give the recipients that nothing was reported of a verdict. */
static void
set_unreported(struct job *job, const struct verdict *verdict)
{
	for (size_t i = 0; i < job->recipient_count; i++)
		if (job->verdicts[i].outcome == OUTCOME_NONE)
			job->verdicts[i] = *verdict;
}

/* The worker is no more; jobs that it still has come back. */
static void
end_worker(struct pool *pool, struct pool_worker *worker, enum job_end end)
{
	struct destination *destination = worker->destination;
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	verdict_set(&verdict, OUTCOME_DEFERRED, "4.3.0",
	    "the delivering process ended before its time");
	TAILQ_REMOVE(&pool->workers, worker, entries);
	pool->count--;
	close(worker->fd);
	destination->worker_count--;
	if (worker->job != NULL) {
		set_unreported(worker->job, &verdict);
		(void)pool->end_job(pool->context, destination, worker->job,
		    end);
	}
	free(worker);
	pool->end_worker(pool->context, destination);
}

/* Give the worker its next job, or send it home. What it does not get comes
 * back. */
static void
give_job(struct pool *pool, struct pool_worker *worker)
{
	worker->job =
	    pool->next_job(pool->context, worker->destination, worker->done);
	if (worker->job == NULL || order_send(worker->fd, worker->job) < 0)
		end_worker(pool, worker, JOB_JUDGED);
}

bool
pool_has_room(const struct pool *pool)
{
	return pool->count < (size_t)pool->settings->queue_workers;
}

bool
pool_start(struct pool *pool, struct destination *destination)
{
	struct pool_worker *worker = calloc(1, sizeof(*worker));
	pid_t parent = getpid(), pid;
	int fds[2];

	if (worker == NULL)
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1) {
		log_trouble(-errno);
		free(worker);
		return false;
	}
	worker->destination = destination;
	worker->fd = fds[0];
	destination->worker_count++;
	TAILQ_INSERT_TAIL(&pool->workers, worker, entries);
	pool->count++;

	pid = fork();
	if (pid == 0)
		become_worker(pool, worker, fds[1], parent);
	if (pid == -1)
		log_trouble(-errno);
	give_job(pool, worker);
	/* Without a worker this ends its socket, as a death would. */
	close(fds[1]);
	return true;
}

/* A job is done: have it recorded, then let the worker go on, or home. */
static void
finish_job(struct pool *pool, struct pool_worker *worker, enum job_end end)
{
	struct job *job = worker->job;

	worker->job = NULL;
	worker->done++;
	/* Who gets no job goes home at the end of its input. */
	if (pool->end_job(pool->context, worker->destination, job, end) &&
	    !pool->is_closing)
		give_job(pool, worker);
	else
		end_worker(pool, worker, JOB_GIVEN_BACK);
}

/* How many of a job's recipients have that outcome. */
static size_t
count_outcomes(const struct job *job, enum outcome outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < job->recipient_count; i++)
		count += job->verdicts[i].outcome == outcome;
	return count;
}

static enum job_end
end_of(const struct report *report, bool is_deferred)
{
	switch (report->reach) {
	case REACH_HOST:
		return JOB_ANSWERED;
	case REACH_NO_HOST:
		return is_deferred ? JOB_UNREACHED : JOB_JUDGED;
	case REACH_UNUSABLE:
		return is_deferred ? JOB_UNUSABLE : JOB_JUDGED;
	case REACH_NO_ROUTE:
		return is_deferred ? JOB_NO_ROUTE : JOB_JUDGED;
	case REACH_NO_RESOLVER:
		return is_deferred ? JOB_NO_RESOLVER : JOB_JUDGED;
	default:
		return JOB_JUDGED;
	}
}

/* All is said about a job. */
static bool
take_last_report(struct pool *pool, struct pool_worker *worker,
    const struct report *report)
{
	const struct job *job = worker->job;
	bool is_deferred =
	    count_outcomes(job, OUTCOME_DEFERRED) == job->recipient_count;

	if (count_outcomes(job, OUTCOME_NONE) > 0)
		return false;
	finish_job(pool, worker, end_of(report, is_deferred));
	return true;
}

/* Take a report as far as it can be true: workers deal with what remote hosts
 * say, and we with what they may have been made to say. Returns false if it
 * cannot. */
static bool
take_report(struct pool *pool, struct pool_worker *worker,
    const struct report *report)
{
	struct job *job = worker->job;

	if (report->is_done != 0)
		return take_last_report(pool, worker, report);
	if (report->recipient >= job->recipient_count ||
	    !verdict_is_valid(&report->verdict))
		return false;
	job->verdicts[report->recipient] = report->verdict;
	return true;
}

static void
hear(struct pool *pool, struct pool_worker *worker)
{
	struct report report;
	int r = order_hear(worker->fd, &report);

	if (r == 0)
		return; /* it is still there */
	if (r < 0 || !take_report(pool, worker, &report))
		end_worker(pool, worker,
		    pool->is_closing ? JOB_GIVEN_BACK : JOB_JUDGED);
}

nfds_t
pool_get_pollfds(const struct pool *pool, struct pollfd *ret_pfds)
{
	const struct pool_worker *worker;
	nfds_t count = 0;

	TAILQ_FOREACH(worker, &pool->workers, entries)
		ret_pfds[count++] =
		    (struct pollfd){ .fd = worker->fd, .events = POLLIN };
	return count;
}

void
pool_hear(struct pool *pool, const struct pollfd *pfds, nfds_t count)
{
	struct pool_worker *worker = TAILQ_FIRST(&pool->workers), *next;

	/* In the order of pool_get_pollfds(). */
	for (nfds_t i = 0; i < count; i++, worker = next) {
		next = TAILQ_NEXT(worker, entries);
		if (pfds[i].revents != 0)
			hear(pool, worker);
	}
}

static bool
has_report(const struct pool_worker *worker)
{
	struct pollfd pfd = { .fd = worker->fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

void
pool_abandon(struct pool *pool)
{
	struct pool_worker *worker;

	pool->is_abandoned = true;
	while ((worker = TAILQ_FIRST(&pool->workers)) != NULL) {
		/* Whoever has ended is not in the list any more.
		 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		if (has_report(worker)) /* what is done is done */
			hear(pool, worker);
		else
			end_worker(pool, worker, JOB_GIVEN_BACK);
	}
}

void
pool_wait(const struct pool *pool)
{
	while (!pool->is_abandoned && (wait(NULL) != -1 || errno == EINTR))
		;
}
