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
#include "lib/clock.h"
#include "lib/sandbox.h"
#include "smtp-deliver/policy/stsfetch.h"
#include "smtp-deliver/worker/channel.h"
#include "smtp-deliver/queue/pool.h"
#include "smtp-deliver/sandbox.h"
#include "smtp-deliver/worker/worker.h"

#define REPORTS_MAX 256 /* of a worker, until others are heard */
#define WAIT_MIN_MS 1
#define WAIT_MAX_MS 100

struct pool_worker {
	TAILQ_ENTRY(pool_worker) entries;
	struct destination *destination;
	int fd;
	size_t done; /* jobs */
	struct task_job *job; /* NULL: it has come back */
	bool is_sending; /* a host is being given its message */
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
	credentials_forget(pool->credentials);
}

_Noreturn static void
become_worker(const struct pool *pool, const struct pool_worker *own, int fd,
    pid_t parent)
{
	struct credentials *credentials = NULL;
	struct stsfetch stsfetch;
	struct nexthop nexthop = { .is_relayed = false };
	bool has_nexthop;

	/* Nobody would record what an orphan does. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	has_nexthop = nexthop_parse_name(own->destination->name, &nexthop) == 0;
	/* Who we are is for relays, and not for whoever else is talked to. */
	if (has_nexthop && nexthop.is_relayed)
		credentials = pool->credentials;
	else
		credentials_forget(pool->credentials);
	stsfetch_prepare(&stsfetch, pool->spool,
	    has_nexthop ? nexthop_policy_domain(&nexthop) : NULL);
	drop_others(fd, stsfetch.place.folder_fd);
	stsfetch_start(&stsfetch, pool->settings, forget_secrets, pool);
	sandbox_enter_worker(pool->settings, pool->rules);
	worker_work(fd, own->destination->name,
	    own->destination->is_tls_optional, &stsfetch, pool->settings,
	    pool->dkim, credentials);
	_exit(0);
}

/* Give the recipients that nothing was reported of a verdict. */
static void
set_unreported(struct task_job *job, const struct verdict *verdict)
{
	for (size_t i = 0; i < job->work.recipient_count; i++)
		if (job->work.verdicts[i].outcome == OUTCOME_NONE)
			job->work.verdicts[i] = *verdict;
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
		if (end != JOB_GIVEN_BACK)
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
	if (worker->job == NULL ||
	    channel_send_job(worker->fd, &worker->job->work) < 0)
		end_worker(pool, worker, JOB_JUDGED);
}

bool
pool_has_room(const struct pool *pool)
{
	return pool->count < (size_t)pool->settings->queue_workers;
}

/* Returns 0, with worker->fd leading to the process, or a negative errno. */
static int
fork_worker(const struct pool *pool, struct pool_worker *worker)
{
	pid_t parent = getpid(), pid;
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1)
		return -errno;
	pid = fork();
	if (pid == 0)
		become_worker(pool, worker, fds[1], parent);
	r = pid == -1 ? -errno : 0;
	close(fds[1]);
	if (r < 0)
		close(fds[0]);
	else
		worker->fd = fds[0];
	return r;
}

bool
pool_start(struct pool *pool, struct destination *destination)
{
	struct pool_worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (worker == NULL)
		return false;
	worker->destination = destination;
	if ((r = fork_worker(pool, worker)) < 0) {
		log_trouble(r);
		free(worker);
		return false;
	}
	destination->worker_count++;
	TAILQ_INSERT_TAIL(&pool->workers, worker, entries);
	pool->count++;
	give_job(pool, worker);
	return true;
}

/* A job is done: have it recorded, then let the worker go on, or home. */
static void
finish_job(struct pool *pool, struct pool_worker *worker, enum job_end end)
{
	struct task_job *job = worker->job;

	worker->job = NULL;
	worker->is_sending = false;
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
count_outcomes(const struct task_job *job, enum outcome outcome)
{
	size_t count = 0;

	for (size_t i = 0; i < job->work.recipient_count; i++)
		count += job->work.verdicts[i].outcome == outcome;
	return count;
}

static enum job_end
end_of(const struct report *report, bool is_deferred)
{
	switch (report->reach) {
	case REACH_HOST:
		return JOB_ANSWERED;
	case REACH_NO_HOST:
		return is_deferred ? JOB_UNREACHABLE : JOB_JUDGED;
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
	const struct task_job *job = worker->job;
	bool is_deferred =
	    count_outcomes(job, OUTCOME_DEFERRED) == job->work.recipient_count;

	if (count_outcomes(job, OUTCOME_NONE) > 0)
		return false;
	finish_job(pool, worker, end_of(report, is_deferred));
	return true;
}

/* A verdict that is final stays. */
static bool
take_verdict(struct task_job *job, const struct report *report)
{
	enum outcome known;

	if (report->recipient >= job->work.recipient_count ||
	    !verdict_is_valid(&report->verdict))
		return false;
	known = job->work.verdicts[report->recipient].outcome;
	if (is_final(known) && report->verdict.outcome != known)
		return false;
	job->work.verdicts[report->recipient] = report->verdict;
	return true;
}

/* What to make of a worker after a report of its. */
enum next {
	GOES_ON, /* with its job */
	IS_DONE, /* with it; it may have another, or be gone */
	IS_TO_END,
};

/* Take a report as far as it can be true: workers deal with what remote hosts
 * say, and we with what they may have been made to say. */
static enum next
take_report(struct pool *pool, struct pool_worker *worker,
    const struct report *report)
{
	switch (report->kind) {
	case REPORT_SENDING:
		worker->is_sending = true;
		return GOES_ON;
	case REPORT_VERDICT:
		return take_verdict(worker->job, report) ? GOES_ON : IS_TO_END;
	case REPORT_SO_FAR:
		worker->is_sending = false;
		return pool->note_progress(pool->context, worker->job) &&
			!pool->is_closing && channel_send_go(worker->fd) == 0
		    ? GOES_ON
		    : IS_TO_END;
	case REPORT_DONE:
		return take_last_report(pool, worker, report) ? IS_DONE
							      : IS_TO_END;
	default:
		return IS_TO_END;
	}
}

/* Take the next report of a worker. Returns 1, 0 if there is none just now or
 * the worker has done its job, or a negative errno if it is to end. */
static int
hear_report(struct pool *pool, struct pool_worker *worker, bool *ret_has_job)
{
	struct report report;
	int r = channel_receive_report(worker->fd, &report);

	*ret_has_job = r == 0;
	if (r <= 0)
		return r;
	switch (take_report(pool, worker, &report)) {
	case GOES_ON:
		return 1;
	case IS_DONE:
		return 0;
	default:
		return -EBADMSG;
	}
}

/* Hear what a worker has to say of its job, and not for ever. Returns whether it
 * goes on with that one; if not it may have another, or be gone. */
static bool
hear(struct pool *pool, struct pool_worker *worker)
{
	bool has_job = true;
	int r = 1;

	for (int heard = 0; r > 0 && heard < REPORTS_MAX; heard++)
		r = hear_report(pool, worker, &has_job);
	if (r > 0)
		return true;
	if (r == 0)
		return has_job;
	end_worker(pool, worker,
	    pool->is_closing ? JOB_GIVEN_BACK : JOB_JUDGED);
	return false;
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
			(void)hear(pool, worker);
	}
}

/* Let go of workers, of all or of those that are not sending. What is done is
 * done: first hear what they have said. */
static void
abandon(struct pool *pool, bool is_sending_spared)
{
	struct pool_worker *worker, *next;

	for (worker = TAILQ_FIRST(&pool->workers); worker != NULL;
	     worker = next) {
		next = TAILQ_NEXT(worker, entries);
		if (hear(pool, worker) &&
		    !(is_sending_spared && worker->is_sending)) {
			pool->is_abandoned = true;
			end_worker(pool, worker, JOB_GIVEN_BACK);
		}
	}
}

void
pool_abandon(struct pool *pool)
{
	abandon(pool, false);
}

void
pool_abandon_waiting(struct pool *pool)
{
	abandon(pool, true);
}

void
pool_wait(const struct pool *pool, int64_t until_ms)
{
	int wait_ms = WAIT_MIN_MS;

	/* Who has ended is waited for by nobody: SIGCHLD is ignored. */
	while (!pool->is_abandoned && waitpid(-1, NULL, WNOHANG) == 0 &&
	    clock_mono_ms() < until_ms) {
		(void)poll(NULL, 0, wait_ms);
		if (wait_ms < WAIT_MAX_MS)
			wait_ms *= 2;
	}
}
