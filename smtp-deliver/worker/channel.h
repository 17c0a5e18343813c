/* SPDX-License-Identifier: ISC */

#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp-deliver/worker/job.h"

/*
 * The socket between the run and a worker. Jobs go out, a packet each: which of
 * the message's recipients, with a descriptor of the message. Reports come
 * back.
 */

/* How far a message got, as evidence about the destination. */
enum reach {
	REACH_NOWHERE, /* no evidence about hosts */
	REACH_NO_HOST, /* there are hosts, and none answers */
	REACH_UNUSABLE, /* one may answer, and none could be used */
	REACH_HOST, /* one could be used */
	REACH_NO_ROUTE, /* this host has no network to reach them by, */
	REACH_NO_RESOLVER, /* or to resolve their names */
	REACH_CROWDED, /* a host took no message over a new connection: there
			* may be too many */
};

/* What a worker reports about its job, a packet each. */
enum report_kind {
	REPORT_SENDING, /* a host is about to get the message */
	REPORT_VERDICT, /* of a recipient */
	REPORT_SO_FAR, /* all that is final yet was reported: may other hosts be
			* tried? */
	REPORT_DONE, /* all recipients were reported */
};

/* The run checks what it says: its worker has been talking to remote hosts. So
 * fields of few values are unsigned char: any octet is a valid one, which is
 * not so of an enum or a bool. */
struct report {
	enum report_kind kind;
	unsigned char reach; /* DONE: an enum reach */
	size_t recipient; /* VERDICT: which of the job's */
	struct verdict verdict; /* VERDICT */
};

/* Send a job. Returns 0 or a negative errno: the worker does not have it.
 * -EAGAIN: the worker has not taken earlier ones. */
int channel_send_job(int socket_fd, const struct job *job);

/*
 * Wait for a job, and read its message. The verdicts are to be set. On success
 * the caller owns both: message_close(), job_clear().
 *
 * Returns 1, 0 if no more will come, or a negative errno.
 */
int channel_receive_job(int socket_fd, struct message *ret_message,
    struct job *ret_job);

/* Send a report. Returns 0 or a negative errno: nobody receives it. */
int channel_send_report(int socket_fd, const struct report *report);

/* After REPORT_SO_FAR, let a worker go on with its job; or wait for that.
 * Returns 0 or a negative errno: the worker must not go on. */
int channel_send_go(int socket_fd);
int channel_wait_go(int socket_fd);

/*
 * Stop a worker that sends no message, without loss of a report: the run calls
 * channel_stop(), then receives what was reported. A worker that asks
 * channel_is_stopped() after REPORT_SENDING either learns that it must not
 * send, or its report is there to be received. Both reply at once.
 */
void channel_stop(int socket_fd);
bool channel_is_stopped(int socket_fd);

/*
 * Receive a report if there is one. It may say anything: see pool.c.
 *
 * Returns 1, 0 if there is none now, or a negative errno: -EBADMSG for
 * something else, -EPIPE if there will be no more.
 */
int channel_receive_report(int socket_fd, struct report *ret_report);

#endif
