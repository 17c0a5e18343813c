/* SPDX-License-Identifier: ISC */

#ifndef SETTLE_H
#define SETTLE_H

#include "smtp-deliver/queue/task.h"

/*
 * Put what is known of a message on record. Without open jobs it leaves the
 * queue, or its place in it. If it is given back it keeps its place, unless a
 * recipient was deferred, who must not be tried again at once.
 *
 * Returns 0, or a negative errno if that could not be written: keep the claim
 * then, and call this again.
 */
int settle_task(struct task *task);

#endif
