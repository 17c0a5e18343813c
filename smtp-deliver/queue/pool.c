/* SPDX-License-Identifier: ISC */

/*
 * pool.c - worker processes for destinations that have jobs.
 *
 * A worker is forked for one destination. Over a socket (channel.c) it gets one
 * job at a time, with the message, and reports; if it ends for any reason, so
 * does the socket. The caller decides which job is next and what a report
 * means.
 */

#include "config.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/worker/channel.h"
#include "smtp-deliver/queue/pool.h"
#include "smtp-deliver/worker/worker.h"

#define REPORTS_MAX 256 /* of one worker before others are heard */
#define WAIT_MIN_MS 1
#define WAIT_MAX_MS 100

/*
 * The states of a worker.
 *
 *	IDLE -> AT_WORK		it was given a job
 *	AT_WORK -> HALTED	it waits until its verdicts are on record
 *	HALTED -> AT_WORK	it goes on with the same job
 *	AT_WORK -> IDLE		it has done its job
 *	any -> LEAVING		its socket is closed
 */
enum state {
	IDLE,
	AT_WORK,
	HALTED,
	LEAVING,
};

/* Which workers stay after all that they have reported is heard. */
enum keep {
	KEEP_ALL,
	KEEP_SENDING,
	KEEP_NONE,
};

struct pool_worker {
	TAILQ_ENTRY(pool_worker) entries;
	TAILQ_ENTRY(pool_worker) heard_entries;
	struct destination *destination;
	int fd;
	enum state state;
	enum keep keep;
	struct task_job *job; /* NULL: it has none */
	enum job_end end; /* of a job that a LEAVING worker has */
	size_t jobs_done;
	int report_count; /* since it became readable */
	bool is_heard; /* it is in that list of the pool */
	bool is_sending; /* its message to a host */
};

_Noreturn static void
become_worker(const struct pool *pool, const struct pool_worker *own, int fd,
    pid_t parent)
{
	const struct worker_config config = {
		.settings = pool->settings,
		.rules = pool->rules,
		.spool = pool->spool,
		.dkim = pool->dkim,
		.credentials = pool->credentials,
	};

	/* The run decides when a worker ends. */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	worker_work(&config, fd, own->destination->name,
	    own->destination->is_tls_optional, parent);
}

void
pool_init(struct pool *pool)
{
	TAILQ_INIT(&pool->workers);
	TAILQ_INIT(&pool->heard);
}

bool
pool_has_room(const struct pool *pool)
{
	return pool->count < (size_t)pool->settings->queue_workers;
}

bool
pool_is_empty(const struct pool *pool)
{
	return pool->count == 0;
}

/* Let pool_next() ask a worker. */
static void
hear(struct pool *pool, struct pool_worker *worker)
{
	if (!worker->is_heard)
		TAILQ_INSERT_TAIL(&pool->heard, worker, heard_entries);
	worker->is_heard = true;
}

static void
stop_hearing(struct pool *pool, struct pool_worker *worker)
{
	if (worker->is_heard)
		TAILQ_REMOVE(&pool->heard, worker, heard_entries);
	worker->is_heard = false;
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

int
pool_start(struct pool *pool, struct destination *destination)
{
	struct pool_worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (worker == NULL)
		return -ENOMEM;
	worker->destination = destination;
	if ((r = fork_worker(pool, worker)) < 0) {
		free(worker);
		return r;
	}
	destination->worker_count++;
	TAILQ_INSERT_TAIL(&pool->workers, worker, entries);
	pool->count++;
	hear(pool, worker);
	return 0;
}

/* ---- answers of the caller ----------------------------------------------- */

void
pool_dismiss(struct pool *pool, struct pool_worker *worker)
{
	if (worker->state == LEAVING)
		return;
	worker->state = LEAVING;
	worker->end = pool->is_closing ? JOB_GIVEN_BACK : JOB_JUDGED;
	close(worker->fd);
	hear(pool, worker);
}

void
pool_go_on(struct pool *pool, struct pool_worker *worker)
{
	assert(worker->state == HALTED);
	worker->state = AT_WORK;
	if (pool->is_closing || channel_send_go(worker->fd) < 0)
		pool_dismiss(pool, worker);
}

void
pool_give_job(struct pool *pool, struct pool_worker *worker,
    struct task_job *job)
{
	assert(worker->state == IDLE);
	worker->job = job;
	worker->state = AT_WORK;
	if (channel_send_job(worker->fd, &job->work) < 0)
		pool_dismiss(pool, worker);
	else
		stop_hearing(pool, worker);
}

/* ---- reports ------------------------------------------------------------- */

/* Count the recipients with that outcome. */
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
	case REACH_CROWDED:
		return is_deferred ? JOB_CROWDED : JOB_ANSWERED;
	case REACH_NO_ROUTE:
		return is_deferred ? JOB_NO_ROUTE : JOB_JUDGED;
	case REACH_NO_RESOLVER:
		return is_deferred ? JOB_NO_RESOLVER : JOB_JUDGED;
	default:
		return JOB_JUDGED;
	}
}

/* A job is done, if each recipient has a verdict. */
static int
take_last_report(struct pool_worker *worker, const struct report *report,
    struct pool_event *ret_event)
{
	const struct task_job *job = worker->job;
	bool is_deferred =
	    count_outcomes(job, OUTCOME_DEFERRED) == job->work.recipient_count;

	if (count_outcomes(job, OUTCOME_NONE) > 0)
		return -EBADMSG;
	ret_event->kind = POOL_JOB_DONE;
	ret_event->job = worker->job;
	ret_event->end = end_of(report, is_deferred);
	worker->job = NULL;
	worker->state = IDLE;
	worker->is_sending = false;
	worker->jobs_done++;
	return 1;
}

/* A final verdict does not change. */
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

/* Take a report as far as it can be true: a remote host may control the worker.
 * Returns 1 with an event, 0 without one, or -EBADMSG: end the worker. */
static int
take_report(struct pool_worker *worker, const struct report *report,
    struct pool_event *ret_event)
{
	switch (report->kind) {
	case REPORT_SENDING:
		worker->is_sending = true;
		return 0;
	case REPORT_VERDICT:
		return take_verdict(worker->job, report) ? 0 : -EBADMSG;
	case REPORT_SO_FAR:
		worker->is_sending = false;
		worker->state = HALTED;
		ret_event->kind = POOL_PROGRESS;
		ret_event->job = worker->job;
		return 1;
	case REPORT_DONE:
		return take_last_report(worker, report, ret_event);
	default:
		return -EBADMSG;
	}
}

/* Take reports until one makes an event, REPORTS_MAX at most. Returns 1 with an
 * event, 0 if there is none now, or a negative errno: end the worker. */
static int
take_reports(struct pool_worker *worker, struct pool_event *ret_event)
{
	struct report report;
	int r = 0;

	while (r == 0 && worker->report_count < REPORTS_MAX) {
		worker->report_count++;
		if ((r = channel_receive_report(worker->fd, &report)) <= 0)
			return r;
		r = take_report(worker, &report, ret_event);
	}
	return r;
}

/* ---- events -------------------------------------------------------------- */

static bool
is_kept(const struct pool_worker *worker)
{
	return worker->keep == KEEP_ALL ||
	    (worker->keep == KEEP_SENDING && worker->is_sending);
}

/* Set the verdicts that the worker did not report. */
static void
set_unreported(struct task_job *job)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	verdict_set(&verdict, OUTCOME_DEFERRED, "4.3.0",
	    "the delivery process died");
	for (size_t i = 0; i < job->work.recipient_count; i++)
		if (job->work.verdicts[i].outcome == OUTCOME_NONE)
			job->work.verdicts[i] = verdict;
}

/* End a worker. Its job comes back first. */
static bool
end_worker(struct pool *pool, struct pool_worker *worker,
    struct pool_event *ret_event)
{
	if (worker->job != NULL) {
		if (worker->end != JOB_GIVEN_BACK)
			set_unreported(worker->job);
		ret_event->kind = POOL_JOB_DONE;
		ret_event->job = worker->job;
		ret_event->end = worker->end;
		worker->job = NULL;
		return true;
	}
	stop_hearing(pool, worker);
	TAILQ_REMOVE(&pool->workers, worker, entries);
	pool->count--;
	worker->destination->worker_count--;
	ret_event->kind = POOL_WORKER_GONE;
	ret_event->worker = NULL;
	free(worker);
	return true;
}

static bool
hear_reports(struct pool *pool, struct pool_worker *worker,
    struct pool_event *ret_event)
{
	int r = take_reports(worker, ret_event);

	if (r > 0)
		return true;
	if (r == 0 && is_kept(worker)) {
		stop_hearing(pool, worker);
		return false;
	}
	pool->is_abandoned |= r == 0;
	pool_dismiss(pool, worker);
	return end_worker(pool, worker, ret_event);
}

static bool
offer_worker(struct pool *pool, struct pool_worker *worker,
    struct pool_event *ret_event)
{
	if (pool->is_closing) {
		pool_dismiss(pool, worker);
		return end_worker(pool, worker, ret_event);
	}
	ret_event->kind = POOL_WORKER_IDLE;
	ret_event->jobs_done = worker->jobs_done;
	return true;
}

static bool
ask_worker(struct pool *pool, struct pool_worker *worker,
    struct pool_event *ret_event)
{
	*ret_event = (struct pool_event){
		.worker = worker,
		.destination = worker->destination,
	};
	switch (worker->state) {
	case IDLE:
		return offer_worker(pool, worker, ret_event);
	case LEAVING:
		return end_worker(pool, worker, ret_event);
	default:
		assert(worker->state == AT_WORK);
		return hear_reports(pool, worker, ret_event);
	}
}

bool
pool_next(struct pool *pool, struct pool_event *ret_event)
{
	struct pool_worker *worker;

	while ((worker = TAILQ_FIRST(&pool->heard)) != NULL)
		if (ask_worker(pool, worker, ret_event))
			return true;
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
pool_note_readable(struct pool *pool, const struct pollfd *pfds, nfds_t count)
{
	struct pool_worker *worker = TAILQ_FIRST(&pool->workers);

	/* In the order of pool_get_pollfds(). */
	for (nfds_t i = 0; i < count; i++) {
		if (pfds[i].revents != 0) {
			worker->report_count = 0;
			hear(pool, worker);
		}
		worker = TAILQ_NEXT(worker, entries);
	}
}

/* ---- the end ------------------------------------------------------------- */

void
pool_close(struct pool *pool)
{
	pool->is_closing = true;
}

bool
pool_is_closing(const struct pool *pool)
{
	return pool->is_closing;
}

/* Dismiss workers, but hear first what they have reported. From now on none of
 * them begins to send. */
static void
abandon(struct pool *pool, enum keep keep)
{
	struct pool_worker *worker;

	assert(pool->is_closing);
	TAILQ_FOREACH(worker, &pool->workers, entries) {
		worker->keep = keep;
		worker->report_count = 0;
		if (worker->state == AT_WORK)
			channel_stop(worker->fd);
		hear(pool, worker);
	}
}

void
pool_abandon(struct pool *pool)
{
	abandon(pool, KEEP_NONE);
}

void
pool_abandon_waiting(struct pool *pool)
{
	abandon(pool, KEEP_SENDING);
}

void
pool_wait(const struct pool *pool, int64_t until_mono_ms)
{
	int wait_ms = WAIT_MIN_MS;

	/* SIGCHLD is ignored, so there are no zombies to wait for. */
	while (!pool->is_abandoned && waitpid(-1, NULL, WNOHANG) == 0 &&
	    clock_mono_ms() < until_mono_ms) {
		(void)poll(NULL, 0, wait_ms);
		if (wait_ms < WAIT_MAX_MS)
			wait_ms *= 2;
	}
}
