/* SPDX-License-Identifier: ISC */

/*
 * run.c - work through the queue.
 *
 * The loop: claim what is due, start workers, wait for their reports, for new
 * mail, for time, or for a signal (dispatch.c does the work). A run ends when
 * nothing is due any more, at a signal, or when the spool or a file of the
 * system that it uses was replaced.
 */

#include "config.h"

#include <sys/resource.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "lib/spool/repair.h"
#include "smtp-deliver/queue/dispatch.h"
#include "smtp-deliver/queue/run.h"
#include "smtp-deliver/sandbox.h"

#define TASKS_MAX 400
#define OTHER_DESCRIPTORS 32 /* not of tasks or workers */
#define SYNC_MS 1000
#define DAY_MS INT64_C(86400000)
#define TROUBLE_WAIT_MS 10000
#define STOP_MS 10000 /* for messages that are being sent at a signal */

struct run {
	struct task_means means;
	struct dispatch dispatch;
	const struct deliver_settings *settings;
	uint64_t
	    pathstate; /* the paths that the sandbox allows, as they were */
	int64_t day; /* it allows names in the folder of that day */
	bool is_outdated; /* is_replaced() */
	bool is_watching;
	int watch_fd; /* reports new mail; -1: unavailable */
	int64_t next_sync_mono_ms;
	int64_t stop_mono_ms; /* when to stop waiting for workers */
};

static volatile sig_atomic_t is_stopping;
static sigset_t mask_while_waiting;

static void
note_stop(int number)
{
	(void)number;
	is_stopping = 1;
}

/* ---- repair -------------------------------------------------------------- */

static void
log_repair(void *context, const char *path, const char *what)
{
	char reason[NAME_MAX + 256];

	(void)context;
	(void)snprintf(reason, sizeof(reason), "%s: %s", path, what);
	audit_write(&(struct audit_record){
	    .event = AUDIT_REPAIRED,
	    .reason = reason,
	});
}

/* Once a day, so that not every run logs the same. */
static void
sweep_if_due(struct spool *spool, unsigned missing)
{
	int r;

	if (!repair_is_due(spool))
		return;
	audit_write_missing(missing);
	audit_write_unknown_variables();
	if ((r = repair_sweep(spool, log_repair, NULL)) < 0)
		audit_write_trouble(NULL, "cannot sweep the spool", r);
}

/* ---- the end of a run ---------------------------------------------------- */

/* End the run when workers have finished what they are sending, or after that
 * time. */
static void
wind_down(struct run *run, int64_t wait_ms)
{
	if (run->stop_mono_ms == INT64_MAX)
		run->stop_mono_ms = clock_mono_ms() + wait_ms;
	dispatch_wind_down(&run->dispatch);
}

/* There was a signal. */
static void
stop(struct run *run)
{
	wind_down(run, STOP_MS);
	if (clock_mono_ms() >= run->stop_mono_ms)
		dispatch_abandon(&run->dispatch);
}

/* Something was replaced: end, so that another run begins and takes what waits.
 * A message that a host may have must not be sent twice, so wait for replies: a
 * command's and the content's may take the whole timeout each. */
static void
yield(struct run *run)
{
	wind_down(run, 2000 * (int64_t)run->settings->remote_timeout_sec);
	if (clock_mono_ms() >= run->stop_mono_ms ||
	    (pool_is_empty(&run->dispatch.pool) &&
		spool_is_gone(run->means.spool)))
		dispatch_abandon(&run->dispatch);
}

/* ---- the loop ------------------------------------------------------------ */

static void
sync_if_due(struct run *run)
{
	int64_t now_mono_ms = clock_mono_ms();
	int r;

	if (now_mono_ms < run->next_sync_mono_ms)
		return;
	run->next_sync_mono_ms = now_mono_ms + SYNC_MS;
	if ((r = queue_sync(run->means.queue)) < 0)
		audit_write_trouble(NULL, "cannot flush the queue to disk", r);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
next_wake_mono_ms(const struct run *run)
{
	int64_t wake_mono_ms =
	    earlier(dispatch_next_mono_ms(&run->dispatch), run->stop_mono_ms);

	if (!is_stopping && !run->is_outdated)
		wake_mono_ms = earlier(wake_mono_ms,
		    dispatch_next_claim_mono_ms(&run->dispatch));
	if (dispatch_has_tasks(&run->dispatch) ||
	    queue_is_dirty(run->means.queue))
		wake_mono_ms = earlier(wake_mono_ms, run->next_sync_mono_ms);
	return earlier(wake_mono_ms, clock_mono_ms() + 60000);
}

/* Wait for a worker, for new mail, for time, or for a signal. */
static void
wait_for_events(struct run *run)
{
	struct pollfd pfds[1 + SETTINGS_WORKERS_MAX] = {
		{ .fd = run->watch_fd, .events = POLLIN },
	};
	struct pool *pool = &run->dispatch.pool;
	nfds_t count = pool_get_pollfds(pool, pfds + 1);
	int64_t wait_ms = next_wake_mono_ms(run) - clock_mono_ms();
	struct timespec timeout = { .tv_sec = 0 };
	char events[4096];

	if (wait_ms > 0) {
		timeout.tv_sec = wait_ms / 1000;
		timeout.tv_nsec = wait_ms % 1000 * 1000000;
	}
	if (ppoll(pfds, 1 + count, &timeout, &mask_while_waiting) <= 0)
		return;
	if ((pfds[0].revents & POLLIN) != 0) {
		while (read(run->watch_fd, events, sizeof(events)) > 0)
			;
		dispatch_look_again(&run->dispatch);
	}
	pool_note_readable(pool, pfds + 1, count);
	dispatch_hear(&run->dispatch);
}

/* Whether new mail has come since the last scan. */
static bool
has_news(const struct run *run)
{
	struct pollfd pfd = { .fd = run->watch_fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

static bool
is_finished(const struct run *run)
{
	if (dispatch_has_tasks(&run->dispatch))
		return false;
	if (is_stopping || run->is_outdated)
		return true;
	return !run->is_watching && intake_is_done(&run->dispatch.intake) &&
	    !has_news(run);
}

/* Whether the spool, or a file of the system that we use, was replaced; or,
 * with --watch, whether the day has changed. */
static bool
is_replaced(const struct run *run)
{
	return spool_is_gone(run->means.spool) ||
	    sandbox_get_pathstate(run->settings) != run->pathstate ||
	    (run->is_watching && clock_real_ms() / DAY_MS != run->day);
}

static int
claim(struct run *run)
{
	int r;

	if (run->is_outdated)
		return -ESTALE;
	if (dispatch_is_scan_due(&run->dispatch)) {
		if ((run->is_outdated = is_replaced(run)))
			return -ESTALE;
		if ((r = dispatch_begin_scan(&run->dispatch)) < 0)
			return r;
	}
	return dispatch_claim(&run->dispatch);
}

static int
loop(struct run *run)
{
	int r;

	for (;;) {
		dispatch_settle(&run->dispatch);
		if (is_stopping)
			stop(run);
		else if ((r = claim(run)) == 0)
			dispatch_start_workers(&run->dispatch);
		else if (run->is_outdated)
			yield(run);
		else if (!dispatch_has_tasks(&run->dispatch))
			return r;
		else {
			audit_write_trouble(NULL, "cannot read the queue", r);
			intake_wait(&run->dispatch.intake,
			    clock_mono_ms() + TROUBLE_WAIT_MS);
		}
		sync_if_due(run);
		if (is_finished(run))
			return is_stopping || !run->is_outdated ? 0 : -ESTALE;
		wait_for_events(run);
	}
}

/* Return how many tasks there may be at a time. */
static size_t
count_tasks(int workers)
{
	rlim_t taken = OTHER_DESCRIPTORS + (rlim_t)workers;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 ||
	    limit.rlim_cur >= TASKS_MAX + taken)
		return TASKS_MAX;
	return limit.rlim_cur > taken ? limit.rlim_cur - taken : 1;
}

void
run_catch_signals(void)
{
	struct sigaction action = { .sa_handler = note_stop,
		.sa_flags = (int)SA_RESETHAND };
	sigset_t blocked;

	sigemptyset(&action.sa_mask);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &mask_while_waiting);
	sigdelset(&mask_while_waiting, SIGTERM);
	sigdelset(&mask_while_waiting, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	/* No zombies: a worker's end shows as the end of its socket. */
	(void)signal(SIGCHLD, SIG_IGN);
}

/* Enter the sandbox, and work. */
static int
work(struct run *run)
{
	struct sandbox_ports ports;
	unsigned missing;
	int r;

	run->pathstate = sandbox_get_pathstate(run->settings);
	run->day = clock_real_ms() / DAY_MS;
	ports.ports = rules_ports(run->means.rules, &ports.count);
	r = sandbox_enter_run(run->means.spool, run->settings, &ports,
	    &missing);
	if (r < 0)
		return r;
	sweep_if_due(run->means.spool, missing);
	return loop(run);
}

static int
open_queue(struct run *run)
{
	struct spool *spool = run->means.spool;
	int fd, r;

	/* A full disk is no obstacle: deliveries need no room. */
	r = spool_check_writable(spool);
	if (r < 0 && r != -ENOSPC && r != -EDQUOT)
		return r;
	if ((r = queue_open(spool, &run->means.queue)) < 0)
		return r;
	if ((fd = spool_open_counters(spool)) >= 0)
		(void)counters_open(fd, &run->means.counters);
	run->means.notifier = (struct notifier){
		.spool = spool,
		.counters = run->means.counters,
		.settings = run->settings,
	};
	run->watch_fd = queue_watch(run->means.queue);
	if (run->watch_fd < 0)
		run->watch_fd = -1;
	return 0;
}

static void
close_queue(struct run *run)
{
	if (run->watch_fd >= 0)
		close(run->watch_fd);
	counters_close(run->means.counters);
	queue_close(run->means.queue);
}

int
run_queue(struct spool *spool, const struct deliver_settings *settings,
    struct dkim *dkim, const struct rules *rules,
    struct credentials *credentials, bool is_watching)
{
	struct run run = {
		.means = { .spool = spool, .rules = rules },
		.settings = settings,
		.is_watching = is_watching,
		.stop_mono_ms = INT64_MAX,
	};
	int r;

	if ((r = open_queue(&run)) < 0)
		return r;
	dispatch_init(&run.dispatch, &run.means,
	    &(struct pool){
		.settings = settings,
		.spool = spool,
		.dkim = dkim,
		.rules = rules,
		.credentials = credentials,
	    },
	    count_tasks(settings->queue_workers), run.watch_fd != -1);
	r = work(&run);

	sigprocmask(SIG_SETMASK, &mask_while_waiting, NULL);
	pool_wait(&run.dispatch.pool, clock_mono_ms() + STOP_MS);
	if (r == 0)
		r = queue_sync(run.means.queue);
	dispatch_close(&run.dispatch);
	close_queue(&run);
	return r;
}
