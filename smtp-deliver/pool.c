/* SPDX-License-Identifier: ISC */

/*
 * pool.c - worker processes, one for a destination that has jobs.
 *
 * A worker is forked with the jobs it is to do, up to BATCH_MAX, and closes a
 * wall around itself that has nothing but their messages in it. It reports over
 * a socket; its end, whatever the reason, shows as the end of that. What a
 * report means is the caller's business.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/sandbox.h"
#include "smtp-deliver/fetcher.h"
#include "smtp-deliver/pool.h"
#include "smtp-deliver/wall.h"
#include "smtp-deliver/worker.h"

#define BATCH_MAX 100

struct pool_worker {
	TAILQ_ENTRY(pool_worker) entries;
	struct destination *destination;
	int fd;
	size_t job_count;
	struct job *jobs[BATCH_MAX]; /* NULL: has come back */
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

/* Reading a message needs less than claiming it: open it anew, and leave the
 * claim to our parent. Without /proc it has to be the descriptor that is there.
 */
static int
open_to_read(int fd)
{
	char path[sizeof("/proc/self/fd/2147483647")];
	int read_fd;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (read_fd == -1)
		return fd;
	return read_fd;
}

/* In a new worker: let go of what is not its own, above all of the claims,
 * which it would hold on to beyond the end of their tasks. */
static void
drop_others(const struct pool_worker *own, int fd, int policies_fd)
{
	int kept[BATCH_MAX + 3];
	size_t count = 0;

	for (size_t i = 0; i < own->job_count; i++) {
		struct claim *claim = own->jobs[i]->task->claim;

		claim->fd = open_to_read(claim->fd);
		kept[count++] = claim->fd;
	}
	kept[count++] = fd;
	if (policies_fd >= 0)
		kept[count++] = policies_fd;
	if (audit_fd() >= 0)
		kept[count++] = audit_fd();
	sandbox_keep_only(kept, count);
}

_Noreturn static void
become_worker(const struct pool *pool, const struct pool_worker *own, int fd,
    pid_t parent)
{
	struct fetcher fetcher;

	/* Nobody would record what an orphan does. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	fetcher_prepare(&fetcher, pool->spool, own->destination->name);
	drop_others(own, fd, fetcher.place.folder_fd);
	fetcher_start(&fetcher, pool->settings);
	wall_close_worker(pool->settings);
	worker_work(fd, own->destination->name, own->jobs, own->job_count,
	    &fetcher, pool->settings);
	_exit(0);
}

static void
move_jobs(struct destination *destination, struct pool_worker *worker)
{
	struct job *job;

	while (worker->job_count < BATCH_MAX &&
	    (job = destination_take_job(destination)) != NULL)
		worker->jobs[worker->job_count++] = job;
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
	for (size_t i = 0; i < worker->job_count; i++) {
		if (worker->jobs[i] == NULL)
			continue;
		set_unreported(worker->jobs[i], &verdict);
		(void)pool->end_job(pool->context, worker->jobs[i], end);
	}
	free(worker);
	destination->has_worker = false;
	pool->end_worker(pool->context, destination);
}

static void
start_worker(struct pool *pool, struct destination *destination)
{
	struct pool_worker *worker = calloc(1, sizeof(*worker));
	pid_t parent = getpid(), pid;
	int fds[2];

	if (worker == NULL)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1) {
		log_trouble(-errno);
		free(worker);
		return;
	}
	worker->destination = destination;
	worker->fd = fds[0];
	move_jobs(destination, worker);
	destination->has_worker = true;
	TAILQ_INSERT_TAIL(&pool->workers, worker, entries);
	pool->count++;

	pid = fork();
	if (pid == 0)
		become_worker(pool, worker, fds[1], parent);
	if (pid == -1)
		log_trouble(-errno);
	/* Without a worker this ends its socket, as a death would. */
	close(fds[1]);
}

bool
pool_start(struct pool *pool, struct destination *destination)
{
	if (pool->count >= (size_t)pool->settings->queue_workers)
		return false;
	if (!destination->has_worker && !TAILQ_EMPTY(&destination->jobs))
		start_worker(pool, destination);
	return true;
}

static bool
has_jobs_left(const struct pool_worker *worker)
{
	for (size_t i = 0; i < worker->job_count; i++)
		if (worker->jobs[i] != NULL)
			return true;
	return false;
}

static bool
tell(const struct pool_worker *worker)
{
	ssize_t n;

	do
		n = send(worker->fd, "", 1, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == 1;
}

/* A job is done: have it recorded, then let the worker go on, or home. */
static void
finish_job(struct pool *pool, struct pool_worker *worker, size_t number)
{
	struct job *job = worker->jobs[number];
	bool may_go_on;

	worker->jobs[number] = NULL;
	may_go_on = pool->end_job(pool->context, job, JOB_ANSWERED) &&
	    !pool->is_closing;
	/* Whoever is not told to go on goes home at the end of its input. */
	if (!may_go_on || !has_jobs_left(worker) || !tell(worker))
		end_worker(pool, worker, JOB_GIVEN_BACK);
}

/* The job that a report is about. NULL if it is none: workers deal with what
 * remote hosts say, and we with what they may have been made to say. */
static struct job *
find_reported(const struct pool_worker *worker, const struct report *report)
{
	struct job *job =
	    report->job < worker->job_count ? worker->jobs[report->job] : NULL;

	if (job == NULL || report->is_done != 0)
		return job;
	return report->recipient < job->recipient_count &&
		verdict_is_valid(&report->verdict)
	    ? job
	    : NULL;
}

static void
hear(struct pool *pool, struct pool_worker *worker)
{
	struct report report;
	ssize_t n = recv(worker->fd, &report, sizeof(report), 0);
	struct job *job = NULL;

	if (n == -1 && (errno == EINTR || errno == ENOMEM || errno == ENOBUFS))
		return; /* it is still there */
	if (n == sizeof(report))
		job = find_reported(worker, &report);
	if (job == NULL)
		end_worker(pool, worker,
		    pool->is_closing ? JOB_GIVEN_BACK : JOB_ANSWERED);
	else if (report.is_done != 0)
		finish_job(pool, worker, report.job);
	else
		job->verdicts[report.recipient] = report.verdict;
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
