/* SPDX-License-Identifier: ISC */

/*
 * run.c - work through the queue.
 *
 * Entries that are due are claimed as tasks (intake.c), up to TASKS_MAX at a
 * time. A task has a job for each of its destinations (destination.c); a
 * destination with jobs gets worker processes (pool.c), one first, more as it
 * takes what it is given, and each of them the next job when one is done. This
 * process alone touches the spool: it records what workers report (task.c),
 * before they go on, and settles the tasks whose jobs are done.
 */

#include "config.h"

#include <sys/resource.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "lib/spool/repair.h"
#include "smtp-deliver/queue/destination.h"
#include "smtp-deliver/queue/intake.h"
#include "smtp-deliver/queue/throttle.h"
#include "smtp-deliver/queue/pool.h"
#include "smtp-deliver/queue/run.h"
#include "smtp-deliver/queue/task.h"
#include "smtp-deliver/sandbox.h"

#define TASKS_MAX 400
#define OTHER_DESCRIPTORS 32 /* beside those of tasks and workers */
#define LEFT_MAX 200 /* entries met without room for them, before we pause */
#define LEFT_PAUSE_MS 100
#define SYNC_MS 1000
#define DAY_MS INT64_C(86400000)
#define SETTLE_MS 5000 /* between tries to move what could not be moved */
#define TURN_JOBS 20 /* of a worker while others wait for one */
#define TROUBLE_WAIT_MS 10000
#define STOP_MS 10000 /* for messages that are being sent when we are to stop */

struct run {
	struct task_means means;
	uint64_t wall; /* what was within it when it was closed */
	int64_t day; /* on which that was: notices get names in its folder */
	bool is_outdated; /* that is another thing now */
	bool is_watching;
	int watch_fd; /* -1: cannot be told of new mail */
	struct intake intake;
	size_t left_count; /* met without room since there was some again */
	int64_t no_resolver_until_ms; /* the DNS is out of reach until then */
	bool is_offline; /* that, or no route, was told of */
	int64_t next_sync_ms;
	int64_t next_settle_ms;
	int64_t
	    next_start_ms; /* of a worker, when there were no means for one */
	int64_t go_on_ms; /* with what is met without room for it; 0: now */
	int64_t stop_ms; /* when to stop waiting for workers */
	size_t task_count;
	size_t task_max; /* each has a descriptor */
	struct task_list tasks;
	struct destination_list destinations;
	struct pool pool;
};

static volatile sig_atomic_t is_stopping;
static sigset_t mask_while_waiting;

static void
note_stop(int number)
{
	(void)number;
	is_stopping = 1;
}

static void
log_trouble(const char *what, int error)
{
	char reason[256];

	(void)snprintf(reason, sizeof(reason), "%s: %s", what,
	    strerror(-error));
	audit_write(&(struct audit_record){
	    .event = AUDIT_TROUBLE,
	    .reason = reason,
	});
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- tasks ---------------------------------------------------------------- */

static void
end_task(struct run *run, struct task *task)
{
	TAILQ_REMOVE(&run->tasks, task, entries);
	run->task_count--;
	task_free(task);
	/* Without being told of new mail we have to look again. */
	if (run->watch_fd == -1 && run->task_count == 0)
		intake_look_again(&run->intake);
}

/* What is known of a task goes on record; without open jobs it goes where it
 * belongs. Either waits until it can be done. */
static void
settle(struct run *run, struct task *task)
{
	if (task_settle(task) < 0)
		run->next_settle_ms = clock_mono_ms() + SETTLE_MS;
	else if (task->open_jobs == 0) {
		/* It was ours when the queue was looked through last. */
		if (task->is_given_back)
			intake_note_left(&run->intake);
		end_task(run, task);
	}
}

static void
settle_again(struct run *run)
{
	struct task *task, *next;

	if (clock_mono_ms() < run->next_settle_ms)
		return;
	run->next_settle_ms = INT64_MAX;
	for (task = TAILQ_FIRST(&run->tasks); task != NULL; task = next) {
		next = TAILQ_NEXT(task, entries);
		settle(run, task);
	}
}

/* Whether a message that was tried cannot be put on record or moved. What more
 * we delivered now might not get onto record either. */
static bool
has_unsettled(const struct run *run)
{
	return run->next_settle_ms != INT64_MAX;
}

/* What the worker's report says about the destination. */
static void
note_success(const struct run *run, struct destination *destination,
    const struct task_job *job)
{
	const struct deliver_settings *settings = run->pool.settings;
	size_t most = (size_t)settings->destination_workers;

	/* One worker is left for others. */
	if (settings->queue_workers > 1 &&
	    most >= (size_t)settings->queue_workers)
		most = (size_t)settings->queue_workers - 1;
	for (size_t i = 0; i < job->work.recipient_count; i++)
		if (verdict_is_good(&job->work.verdicts[i])) {
			destination_note_success(destination, most);
			return;
		}
}

/* A worker could not connect. While others can, that is one worker too many
 * there, and nothing about the message. Returns whether it is so. */
static bool
is_one_too_many(const struct run *run, struct destination *destination)
{
	bool has_others = destination->worker_count > 1;

	destination_note_failure(destination);
	if (has_others && !run->pool.is_closing)
		return true;
	/* RFC 5321 section 4.5.4.1: who cannot be reached now is not to be tried
	 * for each message anew. When he can be he may have many workers. */
	destination->ceiling = 0;
	return false;
}

/* Hosts have spoken for good about some of a job's recipients. */
static bool
note_progress(void *context, struct task_job *job)
{
	struct run *run = context;

	task_judge_final(job);
	settle(run, job->task);
	return !has_unsettled(run);
}

static void
drop_job(struct run *run, struct task_job *job)
{
	struct task *task = job->task;

	task->open_jobs--;
	task_job_free(job);
	settle(run, task);
}

/* There is no network. That is told of once, and not for each message. */
static void
note_no_network(struct run *run, struct destination *destination,
    const struct task_job *job, enum job_end end)
{
	if (end == JOB_NO_RESOLVER)
		run->no_resolver_until_ms =
		    clock_mono_ms() + THROTTLE_NO_NETWORK_MS;
	throttle_note_no_network(destination);
	if (run->is_offline)
		return;
	run->is_offline = true;
	audit_write(&(struct audit_record){
	    .event = AUDIT_NO_NETWORK,
	    .reason = job->work.verdicts[0].reason,
	});
}

/* What came back of a job goes on record. */
static void
judge(struct run *run, struct destination *destination, struct task_job *job,
    enum job_end end)
{
	switch (end) {
	case JOB_GIVEN_BACK:
		job->task->is_given_back = true;
		task_judge_final(job);
		return;
	case JOB_UNREACHABLE:
		throttle_note_failure(run->means.spool, destination,
		    &job->work.verdicts[0],
		    job->task->claim->message.envelope.id);
		task_judge(job, destination->unreachable.until_ms / 60000);
		return;
	case JOB_UNUSABLE:
		throttle_note_unusable(destination, &job->work.verdicts[0]);
		break;
	case JOB_ANSWERED:
		throttle_note_answer(run->means.spool, destination);
		note_success(run, destination, job);
		break;
	case JOB_NO_ROUTE:
	case JOB_NO_RESOLVER:
		note_no_network(run, destination, job, end);
		task_leave(job);
		return;
	case JOB_JUDGED:
		break;
	}
	run->is_offline = false;
	task_judge(job, 0);
}

/* A job came back from its worker, or never had one. */
static bool
end_job(void *context, struct destination *destination, struct task_job *job,
    enum job_end end)
{
	struct run *run = context;
	bool is_failure = end == JOB_UNREACHABLE || end == JOB_UNUSABLE;
	bool is_untried = end == JOB_NO_ROUTE || end == JOB_NO_RESOLVER;

	if (is_failure && is_one_too_many(run, destination)) {
		destination_return_job(destination, job);
		return false;
	}
	judge(run, destination, job, end);
	drop_job(run, job);
	return !has_unsettled(run) && !is_failure && !is_untried;
}

/* ---- the queue ----------------------------------------------------------- */

static bool
has_task(void *context, const char *id)
{
	const struct run *run = context;
	const struct task *task;

	TAILQ_FOREACH(task, &run->tasks, entries)
		if (strcmp(task->claim->message.envelope.id, id) == 0)
			return true;
	return false;
}

/* An entry was met that there is no room for. Behind many of these there may be
 * some that there is room for, but not at any price. */
static void
note_left(struct run *run)
{
	if (++run->left_count < LEFT_MAX)
		return;
	run->left_count = 0;
	run->go_on_ms = clock_mono_ms() + LEFT_PAUSE_MS;
}

static void
take_task(void *context, struct task *task)
{
	struct run *run = context;

	TAILQ_INSERT_TAIL(&run->tasks, task, entries);
	run->task_count++;
	destination_plan(&run->destinations, task);
	if (task->is_given_back)
		note_left(run);
	/* A crash may have left it here with everything done. */
	settle(run, task);
}

static bool
has_room(void *context)
{
	const struct run *run = context;

	return !run->is_outdated && run->task_count < run->task_max &&
	    !has_unsettled(run) && clock_mono_ms() >= run->go_on_ms;
}

/* Without a resolver nothing can be done for them: they would only be moved. */
static bool
is_paused(void *context)
{
	const struct run *run = context;

	return clock_mono_ms() < run->no_resolver_until_ms;
}

/* Before the queue is looked through: is all that we work with still what is
 * used? */
static int
begin_scan(void *context)
{
	struct run *run = context;
	struct destination *destination;

	run->is_outdated = spool_is_gone(run->means.spool) ||
	    sandbox_get_pathstate(run->pool.settings) != run->wall ||
	    (run->is_watching && clock_real_ms() / DAY_MS != run->day);
	if (run->is_outdated)
		return -ESTALE;
	TAILQ_FOREACH(destination, &run->destinations, entries)
		destination->has_left_some = false;
	return 0;
}

/* There is room again for what was left in the queue, or there is more in it.
 */
static void
look_again(struct run *run)
{
	run->left_count = 0;
	run->go_on_ms = 0;
	intake_look_again(&run->intake);
}

/* ---- workers ------------------------------------------------------------- */

/* What goes nowhere without the DNS. */
static bool
needs_resolver(const struct destination *destination)
{
	return *destination->name != '[';
}

/* Defer what goes where nobody could be reached and nobody is to be tried yet.
 */
static void
pass_by_unreachable(struct run *run)
{
	struct destination *destination, *next;
	struct task_job *job;

	for (destination = TAILQ_FIRST(&run->destinations); destination != NULL;
	     destination = next) {
		next = TAILQ_NEXT(destination, entries);
		throttle_look(run->means.spool, destination);
		if (is_paused(run) && needs_resolver(destination))
			throttle_note_no_network(destination);
		while (destination->is_waiting && !has_unsettled(run) &&
		    (job = destination_take_job(destination)) != NULL) {
			throttle_pass_by(destination, job);
			drop_job(run, job);
		}
		destination_forget(&run->destinations, destination);
	}
}

static void
start_workers(struct run *run)
{
	struct destination *destination;

	pass_by_unreachable(run);
	if (clock_mono_ms() < run->next_start_ms)
		return;
	run->next_start_ms = 0;
	while (!has_unsettled(run) && pool_has_room(&run->pool) &&
	    (destination = destination_choose(&run->destinations)) != NULL)
		if (!pool_start(&run->pool, destination)) {
			run->next_start_ms = clock_mono_ms() + TROUBLE_WAIT_MS;
			return;
		}
}

/* Whether somebody who has no worker at all waits for one to go home. */
static bool
is_crowded(const struct run *run)
{
	const struct destination *waiting;

	if (pool_has_room(&run->pool))
		return false;
	waiting = destination_choose(&run->destinations);
	return waiting != NULL && waiting->worker_count == 0;
}

static struct task_job *
next_job(void *context, struct destination *destination, size_t done)
{
	struct run *run = context;
	struct task_job *job;

	if (done > 0 && is_crowded(run) &&
	    (destination->worker_count > 1 || done >= TURN_JOBS))
		return NULL;
	job = destination_take_job(destination);
	if (destination_wants_more(destination)) {
		destination->has_left_some = false;
		look_again(run);
	}
	return job;
}

static void
end_worker(void *context, struct destination *destination)
{
	struct run *run = context;

	destination_move_last(&run->destinations, destination);
	destination_forget(&run->destinations, destination);
	if (intake_has_left_some(&run->intake))
		look_again(run);
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
		log_trouble("the spool cannot be swept", r);
}

/* ---- the loop ------------------------------------------------------------ */

/* Workers may finish what they are saying; no job waits for one any more. */
static void
wind_up(struct run *run)
{
	struct destination *destination, *next;
	struct task_job *job;

	run->pool.is_closing = true;
	for (destination = TAILQ_FIRST(&run->destinations); destination != NULL;
	     destination = next) {
		next = TAILQ_NEXT(destination, entries);
		while ((job = destination_take_job(destination)) != NULL)
			(void)end_job(run, destination, job, JOB_GIVEN_BACK);
		destination_forget(&run->destinations, destination);
	}
}

/* Let go of every message, on record or not. */
static void
let_go(struct run *run)
{
	struct task *task;

	pool_abandon(&run->pool);
	while ((task = TAILQ_FIRST(&run->tasks)) != NULL) {
		task->is_given_back = true;
		(void)task_settle(task);
		end_task(run, task);
	}
}

/* We are to stop, within a while. */
static void
stop(struct run *run)
{
	if (run->stop_ms == INT64_MAX)
		run->stop_ms = clock_mono_ms() + STOP_MS;
	wind_up(run);
	pool_abandon_waiting(&run->pool);
	if (clock_mono_ms() >= run->stop_ms)
		let_go(run);
}

/* What we work with is not what others use: end, so that another run begins. It
 * is to have what waits for a host. What a host may have got is not to be sent
 * again: its answer may take as long as we wait for any, twice. */
static void
make_way(struct run *run)
{
	if (run->stop_ms == INT64_MAX)
		run->stop_ms = clock_mono_ms() +
		    2000 * (int64_t)run->pool.settings->remote_timeout_sec;
	wind_up(run);
	pool_abandon_waiting(&run->pool);
	if (clock_mono_ms() >= run->stop_ms ||
	    (run->pool.count == 0 && spool_is_gone(run->means.spool)))
		let_go(run);
}

static void
sync_if_due(struct run *run)
{
	int64_t now_ms = clock_mono_ms();
	int r;

	if (now_ms < run->next_sync_ms)
		return;
	run->next_sync_ms = now_ms + SYNC_MS;
	if ((r = queue_sync(run->means.queue)) < 0)
		log_trouble("the queue cannot be flushed to disk", r);
}

static int64_t
next_wake_ms(const struct run *run)
{
	int64_t wake_ms = earlier(run->next_settle_ms, run->stop_ms);

	if (!is_stopping)
		wake_ms = earlier(wake_ms, intake_next_ms(&run->intake));
	if (run->next_start_ms > 0)
		wake_ms = earlier(wake_ms, run->next_start_ms);
	if (run->go_on_ms > 0)
		wake_ms = earlier(wake_ms, run->go_on_ms);
	if (run->task_count > 0 || queue_is_dirty(run->means.queue))
		wake_ms = earlier(wake_ms, run->next_sync_ms);
	return earlier(wake_ms, clock_mono_ms() + 60000);
}

/* Wait for a worker, for new mail, for time, or for a signal. */
static void
wait_for_events(struct run *run)
{
	struct pollfd pfds[1 + SETTINGS_WORKERS_MAX] = {
		{ .fd = run->watch_fd, .events = POLLIN },
	};
	nfds_t count = pool_get_pollfds(&run->pool, pfds + 1);
	int64_t wait_ms = next_wake_ms(run) - clock_mono_ms();
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
		look_again(run);
	}
	pool_hear(&run->pool, pfds + 1, count);
}

/* Whether new mail has come that no scan has seen. */
static bool
has_news(struct run *run)
{
	struct pollfd pfd = { .fd = run->watch_fd, .events = POLLIN };

	return poll(&pfd, 1, 0) > 0;
}

static bool
is_finished(struct run *run)
{
	if (run->task_count > 0)
		return false;
	if (is_stopping || run->is_outdated)
		return true;
	return !run->is_watching && intake_is_done(&run->intake) &&
	    !has_news(run);
}

static int
claim(struct run *run)
{
	return run->is_outdated ? -ESTALE : intake_claim(&run->intake);
}

static int
loop(struct run *run)
{
	int r;

	for (;;) {
		settle_again(run);
		if (is_stopping)
			stop(run);
		else if ((r = claim(run)) == 0) {
			start_workers(run);
			if (run->task_count == 0 &&
			    intake_has_left_some(&run->intake))
				look_again(run);
		} else if (run->is_outdated)
			make_way(run);
		else if (run->task_count == 0)
			return r;
		else {
			log_trouble("the queue cannot be read", r);
			intake_wait(&run->intake,
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

int
run_queue(struct spool *spool, const struct deliver_settings *settings,
    struct dkim *dkim, const struct rules *rules,
    struct credentials *credentials, bool is_watching)
{
	struct run run = {
		.means = { .spool = spool, .rules = rules },
		.task_max = count_tasks(settings->queue_workers),
		.is_watching = is_watching,
		.next_settle_ms = INT64_MAX,
		.stop_ms = INT64_MAX,
		.intake = {
			.begin = begin_scan,
			.has_room = has_room,
			.is_paused = is_paused,
			.has_task = has_task,
			.take = take_task,
		},
		.pool = {
			.settings = settings,
			.spool = spool,
			.dkim = dkim,
			.rules = rules,
			.credentials = credentials,
			.note_progress = note_progress,
			.end_job = end_job,
			.next_job = next_job,
			.end_worker = end_worker,
		},
	};
	unsigned missing;
	int fd, r;

	TAILQ_INIT(&run.tasks);
	TAILQ_INIT(&run.destinations);
	TAILQ_INIT(&run.pool.workers);
	run.pool.context = run.intake.context = &run;
	run.intake.means = &run.means;
	intake_open(&run.intake);
	/* A full disk may be delivered from: what leaves needs no room. */
	r = spool_check_writable(spool);
	if (r < 0 && r != -ENOSPC && r != -EDQUOT)
		return r;
	if ((r = queue_open(spool, &run.means.queue)) < 0)
		return r;
	if ((fd = spool_open_counters(spool)) >= 0)
		(void)counters_open(fd, &run.means.counters);
	run.means.notifier = (struct notifier){
		.spool = spool,
		.counters = run.means.counters,
		.settings = settings,
	};
	run.watch_fd = queue_watch(run.means.queue);
	if (run.watch_fd < 0)
		run.watch_fd = -1;
	run.wall = sandbox_get_pathstate(settings);
	run.day = clock_real_ms() / DAY_MS;
	if ((r = sandbox_enter_run(spool, settings, rules, &missing)) == 0) {
		sweep_if_due(spool, missing);
		r = loop(&run);
	}

	sigprocmask(SIG_SETMASK, &mask_while_waiting, NULL);
	pool_wait(&run.pool, clock_mono_ms() + STOP_MS);
	if (r == 0)
		r = queue_sync(run.means.queue);
	intake_close(&run.intake);
	destination_clear(&run.destinations);
	if (run.watch_fd >= 0)
		close(run.watch_fd);
	counters_close(run.means.counters);
	queue_close(run.means.queue);
	return r;
}
