/* SPDX-License-Identifier: ISC */

/*
 * dispatch.c - bring messages from the queue to workers.
 *
 * Claims due messages as tasks (intake.c). A task has a job for each of its
 * destinations (destination.c). A destination with jobs gets worker processes
 * (pool.c), one at first, more as deliveries succeed; each gets its next job
 * when one is done. Results go on record (record.c) before the worker
 * continues, and a task without open jobs moves on (settle.c).
 */

#include "config.h"

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/queue/dispatch.h"
#include "smtp-deliver/queue/record.h"
#include "smtp-deliver/queue/settle.h"
#include "smtp-deliver/queue/throttle.h"

#define SKIPPED_MAX 200 /* entries without room for them, before a pause */
#define SKIPPED_PAUSE_MS 100
#define SETTLE_MS 5000 /* between tries to settle a message */
#define TURN_JOBS 20 /* of a worker while others wait for one */
#define TROUBLE_WAIT_MS 10000

void
dispatch_init(struct dispatch *dispatch, const struct task_means *means,
    const struct pool *pool, size_t task_max, bool is_watched)
{
	*dispatch = (struct dispatch){
		.means = means,
		.pool = *pool,
		.task_max = task_max,
		.is_watched = is_watched,
		.next_settle_mono_ms = INT64_MAX,
	};
	TAILQ_INIT(&dispatch->tasks);
	TAILQ_INIT(&dispatch->destinations);
	pool_init(&dispatch->pool);
	intake_init(&dispatch->intake, means);
}

void
dispatch_close(struct dispatch *dispatch)
{
	intake_close(&dispatch->intake);
	destination_clear(&dispatch->destinations);
}

bool
dispatch_has_tasks(const struct dispatch *dispatch)
{
	return dispatch->task_count > 0;
}

/* ---- tasks --------------------------------------------------------------- */

static void
end_task(struct dispatch *dispatch, struct task *task)
{
	TAILQ_REMOVE(&dispatch->tasks, task, entries);
	dispatch->task_count--;
	task_free(task);
	/* Nobody reports new mail then. */
	if (!dispatch->is_watched && dispatch->task_count == 0)
		intake_look_again(&dispatch->intake);
}

/* Put a task on record; without open jobs, move the message on. Try again later
 * if that fails. */
static void
settle(struct dispatch *dispatch, struct task *task)
{
	if (settle_task(task) < 0)
		dispatch->next_settle_mono_ms = clock_mono_ms() + SETTLE_MS;
	else if (task->open_jobs == 0) {
		/* The last scan skipped it, as it was ours. */
		if (task->is_given_back)
			intake_note_overflow(&dispatch->intake);
		end_task(dispatch, task);
	}
}

void
dispatch_settle(struct dispatch *dispatch)
{
	struct task *task, *next;

	if (clock_mono_ms() < dispatch->next_settle_mono_ms)
		return;
	dispatch->next_settle_mono_ms = INT64_MAX;
	for (task = TAILQ_FIRST(&dispatch->tasks); task != NULL; task = next) {
		next = TAILQ_NEXT(task, entries);
		settle(dispatch, task);
	}
}

/* Whether a message that was tried could not be put on record or moved. Start
 * no other delivery then: it could fail to be recorded as well. */
static bool
has_unsettled(const struct dispatch *dispatch)
{
	return dispatch->next_settle_mono_ms != INT64_MAX;
}

/* ---- jobs that come back ------------------------------------------------- */

/* Allow one more worker if a recipient's delivery succeeded. */
static void
note_success(const struct dispatch *dispatch, struct destination *destination,
    const struct task_job *job)
{
	const struct deliver_settings *settings = dispatch->pool.settings;
	size_t most = (size_t)settings->destination_workers;

	/* Keep one worker for others. */
	if (settings->queue_workers > 1 &&
	    most >= (size_t)settings->queue_workers)
		most = (size_t)settings->queue_workers - 1;
	for (size_t i = 0; i < job->work.recipient_count; i++)
		if (verdict_is_good(&job->work.verdicts[i])) {
			destination_note_success(destination, most);
			return;
		}
}

/* Whether a worker that could not use a new connection is one too many at its
 * destination: others can, and the message has nothing to do with it. A host
 * that defers MAIL may mean the sender after all: once for each job. */
static bool
is_worker_too_many(const struct dispatch *dispatch,
    const struct destination *destination, const struct task_job *job,
    enum job_end end)
{
	return destination->worker_count > 1 &&
	    !pool_is_closing(&dispatch->pool) &&
	    (end == JOB_UNREACHABLE || end == JOB_UNUSABLE ||
		(end == JOB_CROWDED && !job->is_returned));
}

static void
drop_job(struct dispatch *dispatch, struct task_job *job)
{
	struct task *task = job->task;

	task->open_jobs--;
	task_job_free(job);
	settle(dispatch, task);
}

/* There is no network. Log that once, and not for each message. */
static void
note_no_network(struct dispatch *dispatch, struct destination *destination,
    const struct task_job *job, enum job_end end)
{
	if (end == JOB_NO_RESOLVER)
		dispatch->no_resolver_until_mono_ms =
		    clock_mono_ms() + THROTTLE_NO_NETWORK_MS;
	throttle_note_no_network(destination);
	if (dispatch->is_offline)
		return;
	dispatch->is_offline = true;
	audit_write(&(struct audit_record){
	    .event = AUDIT_NO_NETWORK,
	    .reason = job->work.verdicts[0].reason,
	});
}

/* Put on record how a job ended. */
static void
judge(struct dispatch *dispatch, struct destination *destination,
    struct task_job *job, enum job_end end)
{
	switch (end) {
	case JOB_GIVEN_BACK:
		job->task->is_given_back = true;
		record_final_verdicts(job);
		return;
	case JOB_UNREACHABLE:
		throttle_note_unreachable(dispatch->means->spool, destination,
		    &job->work.verdicts[0],
		    &job->task->claim->message.envelope);
		record_verdicts(job,
		    destination->unreachable.until_real_ms / 60000);
		return;
	case JOB_UNUSABLE:
		throttle_note_unusable(destination, &job->work.verdicts[0]);
		break;
	case JOB_ANSWERED:
	case JOB_CROWDED:
		throttle_note_answer(dispatch->means->spool, destination);
		note_success(dispatch, destination, job);
		break;
	case JOB_NO_ROUTE:
	case JOB_NO_RESOLVER:
		note_no_network(dispatch, destination, job, end);
		record_offline(job);
		return;
	case JOB_JUDGED:
		break;
	}
	dispatch->is_offline = false;
	record_verdicts(job, 0);
}

/* End a job that came back from a worker, or never had one. Returns whether
 * that worker may have another job. */
static bool
end_job(struct dispatch *dispatch, struct destination *destination,
    struct task_job *job, enum job_end end)
{
	bool is_failure = end == JOB_UNREACHABLE || end == JOB_UNUSABLE;
	bool is_untried = end == JOB_NO_ROUTE || end == JOB_NO_RESOLVER;

	if (is_worker_too_many(dispatch, destination, job, end)) {
		destination_note_failure(destination);
		destination_return_job(destination, job);
		job->is_returned = true;
		return false;
	}
	if (is_failure) {
		destination_note_failure(destination);
		/* RFC 5321 section 4.5.4.1: an unreachable host must not be
		 * tried for each message. When it is reachable it may have
		 * many workers again. */
		destination->ceiling = 0;
	}
	judge(dispatch, destination, job, end);
	drop_job(dispatch, job);
	return !has_unsettled(dispatch) && !is_failure && !is_untried;
}

/* ---- the queue ----------------------------------------------------------- */

/* There was no room for an entry. There may be room for others after it; but
 * pause after many. */
static void
note_skipped(struct dispatch *dispatch)
{
	if (++dispatch->skipped_count < SKIPPED_MAX)
		return;
	dispatch->skipped_count = 0;
	dispatch->resume_mono_ms = clock_mono_ms() + SKIPPED_PAUSE_MS;
}

static void
add_task(struct dispatch *dispatch, struct task *task)
{
	TAILQ_INSERT_TAIL(&dispatch->tasks, task, entries);
	dispatch->task_count++;
	destination_plan(&dispatch->destinations, task);
	if (task->is_given_back)
		note_skipped(dispatch);
	/* After a crash it may be here with all recipients done. */
	settle(dispatch, task);
}

static bool
has_room(const struct dispatch *dispatch)
{
	return dispatch->task_count < dispatch->task_max &&
	    !has_unsettled(dispatch) &&
	    clock_mono_ms() >= dispatch->resume_mono_ms;
}

static bool
is_without_resolver(const struct dispatch *dispatch)
{
	return clock_mono_ms() < dispatch->no_resolver_until_mono_ms;
}

bool
dispatch_is_scan_due(const struct dispatch *dispatch)
{
	return has_room(dispatch) && intake_is_due(&dispatch->intake);
}

int
dispatch_begin_scan(struct dispatch *dispatch)
{
	struct destination *destination;

	TAILQ_FOREACH(destination, &dispatch->destinations, entries)
		destination->is_overflowing = false;
	return intake_begin(&dispatch->intake);
}

int
dispatch_claim(struct dispatch *dispatch)
{
	struct task *task;
	int r;

	while (has_room(dispatch)) {
		/* Without a resolver retries would only be moved. */
		r = intake_next(&dispatch->intake, &dispatch->tasks,
		    is_without_resolver(dispatch), &task);
		if (r <= 0)
			return r;
		add_task(dispatch, task);
	}
	return 0;
}

void
dispatch_look_again(struct dispatch *dispatch)
{
	dispatch->skipped_count = 0;
	dispatch->resume_mono_ms = 0;
	intake_look_again(&dispatch->intake);
}

/* ---- workers ------------------------------------------------------------- */

/* Whether a destination cannot be tried without the DNS. */
static bool
needs_resolver(const struct destination *destination)
{
	return *destination->name != '[';
}

/* Defer the jobs of throttled destinations. */
static void
defer_throttled(struct dispatch *dispatch)
{
	struct destination *destination, *next;
	struct task_job *job;

	for (destination = TAILQ_FIRST(&dispatch->destinations);
	     destination != NULL; destination = next) {
		next = TAILQ_NEXT(destination, entries);
		throttle_update(dispatch->means->spool, destination);
		if (is_without_resolver(dispatch) &&
		    needs_resolver(destination))
			throttle_note_no_network(destination);
		while (destination->is_throttled && !has_unsettled(dispatch) &&
		    (job = destination_take_job(destination)) != NULL) {
			throttle_defer_job(destination, job);
			drop_job(dispatch, job);
		}
		destination_forget(&dispatch->destinations, destination);
	}
}

static void
start_workers(struct dispatch *dispatch)
{
	struct destination *destination;
	int r;

	if (clock_mono_ms() < dispatch->next_start_mono_ms)
		return;
	dispatch->next_start_mono_ms = 0;
	while (!has_unsettled(dispatch) && pool_has_room(&dispatch->pool) &&
	    (destination = destination_choose(&dispatch->destinations)) !=
		NULL) {
		if ((r = pool_start(&dispatch->pool, destination)) < 0) {
			audit_write_trouble(NULL, "cannot start a worker", r);
			dispatch->next_start_mono_ms =
			    clock_mono_ms() + TROUBLE_WAIT_MS;
			return;
		}
		/* It gets its job before the next one is chosen. */
		dispatch_hear(dispatch);
	}
}

void
dispatch_start_workers(struct dispatch *dispatch)
{
	defer_throttled(dispatch);
	start_workers(dispatch);
	if (dispatch->task_count == 0 &&
	    intake_is_overflowing(&dispatch->intake))
		dispatch_look_again(dispatch);
}

/* Whether a destination without any worker waits for another's to end. */
static bool
is_crowded(const struct dispatch *dispatch)
{
	const struct destination *waiting;

	if (pool_has_room(&dispatch->pool))
		return false;
	waiting = destination_choose(&dispatch->destinations);
	return waiting != NULL && waiting->worker_count == 0;
}

/* Return the next job for a worker that has done so many, or NULL. */
static struct task_job *
next_job(struct dispatch *dispatch, struct destination *destination,
    size_t jobs_done)
{
	struct task_job *job;

	if (jobs_done > 0 && is_crowded(dispatch) &&
	    (destination->worker_count > 1 || jobs_done >= TURN_JOBS))
		return NULL;
	job = destination_take_job(destination);
	if (destination_wants_more(destination)) {
		destination->is_overflowing = false;
		dispatch_look_again(dispatch);
	}
	return job;
}

/* Some recipients have final verdicts: put these on record before the worker
 * continues. */
static void
on_progress(struct dispatch *dispatch, const struct pool_event *event)
{
	record_final_verdicts(event->job);
	settle(dispatch, event->job->task);
	if (has_unsettled(dispatch))
		pool_dismiss(&dispatch->pool, event->worker);
	else
		pool_go_on(&dispatch->pool, event->worker);
}

static void
on_job_done(struct dispatch *dispatch, const struct pool_event *event)
{
	if (!end_job(dispatch, event->destination, event->job, event->end))
		pool_dismiss(&dispatch->pool, event->worker);
}

static void
on_worker_idle(struct dispatch *dispatch, const struct pool_event *event)
{
	struct task_job *job =
	    next_job(dispatch, event->destination, event->jobs_done);

	if (job != NULL)
		pool_give_job(&dispatch->pool, event->worker, job);
	else
		pool_dismiss(&dispatch->pool, event->worker);
}

static void
on_worker_gone(struct dispatch *dispatch, const struct pool_event *event)
{
	destination_move_last(&dispatch->destinations, event->destination);
	destination_forget(&dispatch->destinations, event->destination);
	if (intake_is_overflowing(&dispatch->intake))
		dispatch_look_again(dispatch);
}

void
dispatch_hear(struct dispatch *dispatch)
{
	struct pool_event event;

	while (pool_next(&dispatch->pool, &event))
		switch (event.kind) {
		case POOL_PROGRESS:
			on_progress(dispatch, &event);
			break;
		case POOL_JOB_DONE:
			on_job_done(dispatch, &event);
			break;
		case POOL_WORKER_IDLE:
			on_worker_idle(dispatch, &event);
			break;
		case POOL_WORKER_GONE:
			on_worker_gone(dispatch, &event);
			break;
		}
}

/* ---- the end ------------------------------------------------------------- */

/* Give back all jobs that wait for a worker. */
static void
give_back_jobs(struct dispatch *dispatch)
{
	struct destination *destination, *next;
	struct task_job *job;

	for (destination = TAILQ_FIRST(&dispatch->destinations);
	     destination != NULL; destination = next) {
		next = TAILQ_NEXT(destination, entries);
		while ((job = destination_take_job(destination)) != NULL)
			(void)end_job(dispatch, destination, job,
			    JOB_GIVEN_BACK);
		destination_forget(&dispatch->destinations, destination);
	}
}

void
dispatch_wind_down(struct dispatch *dispatch)
{
	pool_close(&dispatch->pool);
	give_back_jobs(dispatch);
	pool_abandon_waiting(&dispatch->pool);
	dispatch_hear(dispatch);
}

void
dispatch_abandon(struct dispatch *dispatch)
{
	struct task *task;

	pool_abandon(&dispatch->pool);
	dispatch_hear(dispatch);
	while ((task = TAILQ_FIRST(&dispatch->tasks)) != NULL) {
		task->is_given_back = true;
		(void)settle_task(task);
		end_task(dispatch, task);
	}
}

/* ---- time ---------------------------------------------------------------- */

int64_t
dispatch_next_mono_ms(const struct dispatch *dispatch)
{
	int64_t next_mono_ms = dispatch->next_settle_mono_ms;

	if (dispatch->next_start_mono_ms > 0 &&
	    dispatch->next_start_mono_ms < next_mono_ms)
		next_mono_ms = dispatch->next_start_mono_ms;
	if (dispatch->resume_mono_ms > 0 &&
	    dispatch->resume_mono_ms < next_mono_ms)
		next_mono_ms = dispatch->resume_mono_ms;
	return next_mono_ms;
}

int64_t
dispatch_next_claim_mono_ms(const struct dispatch *dispatch)
{
	return has_room(dispatch) ? intake_next_mono_ms(&dispatch->intake)
				  : INT64_MAX;
}
