/* SPDX-License-Identifier: ISC */

#ifndef ORDER_H
#define ORDER_H

#include "smtp-deliver/task.h"

/*
 * A job on its way from the run to a worker, over a socket of packets: which of
 * the message's recipients, with a descriptor to read the message by. What the
 * worker gets of the message is no claim (lib/spool/claim.h).
 */

/* Give a job. Returns 0 or a negative errno: the worker has not got it. */
int order_send(int socket_fd, const struct job *job);

/*
 * Wait for a job. It comes with a task of its own, which has a claim to read
 * from; the verdicts are to be filled in.
 *
 * Returns 1, 0 if there are to be no more, or a negative errno.
 */
int order_receive(int socket_fd, struct job **ret_job);
void order_free(struct job *job);

#endif
