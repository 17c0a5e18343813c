/* SPDX-License-Identifier: ISC */

/*
 * run.c - work through the queue.
 *
 * The loop: claim what is due, start workers, wait for what they tell, for new
 * mail, for time, or for a signal (dispatch.c does the work). A run ends when
 * nothing is due any more, when it is told to, or when what it works with was
 * replaced.
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
#define OTHER_DESCRIPTORS 32 /* beside those of tasks and workers */
#define SYNC_MS 1000
#define DAY_MS INT64_C(86400000)
#define TROUBLE_WAIT_MS 10000
#define STOP_MS 10000 /* for messages that are being sent when we are to stop */

struct run {
	struct task_means means;
	struct dispatch dispatch;
	const struct deliver_settings *settings;
	uint64_t wall; /* what was within it when it was closed */
	int64_t day; /* on which that was: notices get names in its folder */
	bool is_outdated; /* that is another thing now */
	bool is_watching;
	int watch_fd; /* -1: cannot be told of new mail */
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

/* Once a day: what is told here is not to be told at every run. */
static void
sweep_if_due(struct spool *spool, unsigned missing)
{
	int r;

	if (!repair_is_due(spool))
		return;
	audit_write_missing(missing);
	audit_write_unknown_variables();
	if ((r = repair_sweep(spool, log_repair, NULL)) < 0)
		audit_write_trouble(NULL, "the spool cannot be swept", r);
}

/* ---- the end of a run ----------------------------------------------------- */

/* Finish what workers are sending, and end within a while. */
static void
wind_down(struct run *run, int64_t wait_ms)
{
	if (run->stop_mono_ms == INT64_MAX)
		run->stop_mono_ms = clock_mono_ms() + wait_ms;
	dispatch_wind_down(&run->dispatch);
}

/* We are to stop, within a while. */
static void
stop(struct run *run)
{
	wind_down(run, STOP_MS);
	if (clock_mono_ms() >= run->stop_mono_ms)
		dispatch_abandon(&run->dispatch);
}

/* What we work with is not what others use: end, so that another run begins. It
 * is to have what waits for a host. What a host may have got is not to be sent
 * again: its answer may take as long as we wait for any, twice. */
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
	int64_t now_ms = clock_mono_ms();
	int r;

	if (now_ms < run->next_sync_mono_ms)
		return;
	run->next_sync_mono_ms = now_ms + SYNC_MS;
	if ((r = queue_sync(run->means.queue)) < 0)
		audit_write_trouble(NULL, "the queue cannot be flushed to disk",
		    r);
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
next_wake_mono_ms(const struct run *run)
{
	int64_t wake_ms =
	    earlier(dispatch_next_mono_ms(&run->dispatch), run->stop_mono_ms);

	if (!is_stopping && !run->is_outdated)
		wake_ms = earlier(wake_ms,
		    dispatch_next_claim_mono_ms(&run->dispatch));
	if (dispatch_has_tasks(&run->dispatch) ||
	    queue_is_dirty(run->means.queue))
		wake_ms = earlier(wake_ms, run->next_sync_mono_ms);
	return earlier(wake_ms, clock_mono_ms() + 60000);
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

/* Whether new mail has come that no scan has seen. */
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

/* Whether something that we work with is not what others use any more. */
static bool
is_replaced(const struct run *run)
{
	return spool_is_gone(run->means.spool) ||
	    sandbox_get_pathstate(run->settings) != run->wall ||
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
			audit_write_trouble(NULL, "the queue cannot be read",
			    r);
			intake_wait(&run->dispatch.intake,
			    clock_mono_ms() + TROUBLE_WAIT_MS);
		}
		sync_if_due(run);
		if (is_finished(run))
			return is_stopping || !run->is_outdated ? 0 : -ESTALE;
		wait_for_events(run);
	}
}

/* How many tasks there may be at a time. */
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
	/* Workers are not waited for: the end of their socket tells. */
	(void)signal(SIGCHLD, SIG_IGN);
}

/* Close the wall, and work. */
static int
work(struct run *run)
{
	unsigned missing;
	int r;

	run->wall = sandbox_get_pathstate(run->settings);
	run->day = clock_real_ms() / DAY_MS;
	r = sandbox_enter_run(run->means.spool, run->settings, run->means.rules,
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

	/* A full disk may be delivered from: what leaves needs no room. */
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
