/* SPDX-License-Identifier: ISC */

/*
 * worker.c - a worker process: the loop over its jobs, and its reports.
 *
 * Changes nothing on disk: the run records what is reported. What becomes of a
 * message is decided in delivery.c.
 */

#include "config.h"

#include <stdlib.h>
#include <unistd.h>

#include "smtp-deliver/worker/channel.h"
#include "smtp-deliver/worker/delivery.h"
#include "smtp-deliver/worker/worker.h"

struct worker {
	int fd;
	struct delivery *delivery;
	bool is_dismissed; /* the run does not listen any more */
};

/* ---- reports ------------------------------------------------------------- */

static bool
send_report(struct worker *worker, const struct report *report)
{
	if (!worker->is_dismissed &&
	    channel_send_report(worker->fd, report) < 0)
		worker->is_dismissed = true;
	return !worker->is_dismissed;
}

static bool
report_verdict(struct worker *worker, const struct job *job, size_t recipient)
{
	return send_report(worker,
	    &(struct report){
		.kind = REPORT_VERDICT,
		.recipient = recipient,
		.verdict = job->verdicts[recipient],
	    });
}

/* Returns whether the message may be sent. A run that is ending gives back the
 * jobs of workers that have not reported this. */
static bool
report_sending(struct worker *worker)
{
	if (send_report(worker, &(struct report){ .kind = REPORT_SENDING }))
		worker->is_dismissed = channel_is_stopped(worker->fd);
	return !worker->is_dismissed;
}

/* Have final verdicts recorded before another host is tried (promise P2).
 * Returns whether it may be tried. */
static bool
report_so_far(struct worker *worker, const struct job *job)
{
	for (size_t i = 0; i < job->recipient_count; i++)
		if (is_final(job->verdicts[i].outcome) &&
		    !report_verdict(worker, job, i))
			return false;
	if (!send_report(worker, &(struct report){ .kind = REPORT_SO_FAR }))
		return false;
	worker->is_dismissed = channel_wait_go(worker->fd) < 0;
	return !worker->is_dismissed;
}

static void
report_done(struct worker *worker, const struct job *job, enum reach reach)
{
	for (size_t i = 0; i < job->recipient_count; i++)
		if (!report_verdict(worker, job, i))
			return;
	(void)send_report(worker,
	    &(struct report){
		.kind = REPORT_DONE,
		.reach = (unsigned char)reach,
	    });
}

/* ---- jobs ---------------------------------------------------------------- */

/* A worker that was dismissed stops at once: another one may have the message
 * by now. */
static void
do_job(struct worker *worker, struct job *job)
{
	delivery_begin(worker->delivery, job);
	while (delivery_connect(worker->delivery)) {
		if (!report_sending(worker))
			return;
		if (delivery_send(worker->delivery) &&
		    !report_so_far(worker, job))
			return;
	}
	report_done(worker, job, delivery_end(worker->delivery));
}

static void
do_jobs(struct worker *worker)
{
	struct message message;
	struct job job;

	while (!worker->is_dismissed &&
	    channel_receive_job(worker->fd, &message, &job) > 0) {
		do_job(worker, &job);
		job_clear(&job);
		message_close(&message);
	}
}

void
worker_work(const struct worker_config *config, int fd, const char *destination,
    bool is_tls_optional, pid_t parent)
{
	static struct stsfetch stsfetch; /* too large for the stack */
	struct worker worker = { .fd = fd };

	process_enter(config, destination, parent, fd, &stsfetch);
	worker.delivery =
	    delivery_new(config, destination, is_tls_optional, &stsfetch);
	/* Without memory the run sees the end of the socket. */
	if (worker.delivery != NULL)
		do_jobs(&worker);
	delivery_free(worker.delivery);
	_exit(0);
}
