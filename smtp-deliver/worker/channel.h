/* SPDX-License-Identifier: ISC */

#ifndef CHANNEL_H
#define CHANNEL_H

#include <stddef.h>

#include "smtp-deliver/worker/job.h"

/*
 * The socket between the run and a worker. Jobs go out, a packet each: which of
 * the message's recipients, with a descriptor to read the message by. Reports
 * come back.
 */

/* How far a worker got with a job. */
enum reach {
	REACH_NOWHERE, /* it was not about hosts */
	REACH_NO_HOST, /* there are some, and none answers */
	REACH_UNUSABLE, /* one may answer, and none could be used */
	REACH_HOST, /* one could be used */
	REACH_NO_ROUTE, /* there is no network to reach them by, */
	REACH_NO_RESOLVER, /* or to ask who they are */
};

/* What a worker tells of the job that it has, a packet each. */
enum report_kind {
	REPORT_SENDING, /* a host is about to be given the message */
	REPORT_VERDICT, /* what became of a recipient */
	REPORT_SO_FAR, /* that was all for now: may others be tried? */
	REPORT_DONE, /* all is said about the job */
};

struct report {
	enum report_kind kind;
	unsigned char reach; /* DONE: an enum reach */
	size_t recipient; /* VERDICT: of the job's, and what became of it */
	struct verdict verdict;
};

/* Give a job. Returns 0 or a negative errno: the worker has not got it, -EAGAIN
 * because it has not taken those that it has got. */
int channel_send_job(int socket_fd, const struct job *job);

/*
 * Wait for a job. The verdicts are to be filled in. On success the caller owns
 * both: message_close(), job_clear().
 *
 * Returns 1, 0 if no more will come, or a negative errno.
 */
int channel_receive_job(int socket_fd, struct message *ret_message,
    struct job *ret_job);

/* Send a report. Returns 0 or a negative errno: nobody listens. */
int channel_send_report(int socket_fd, const struct report *report);

/* Let a worker go on with the job that it has, after REPORT_SO_FAR; or wait for
 * that. Returns 0 or a negative errno: it is not to. */
int channel_send_go(int socket_fd);
int channel_wait_go(int socket_fd);

/*
 * Take a report that has come, or none. It may say anything: see pool.c.
 *
 * Returns 1, 0 if there is none just now, or a negative errno: -EBADMSG for
 * what is no report, -EPIPE if there will be no more.
 */
int channel_receive_report(int socket_fd, struct report *ret_report);

#endif
