/* SPDX-License-Identifier: ISC */

#ifndef THROTTLE_H
#define THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/spool/spool.h"
#include "smtp-deliver/queue/destination.h"

/*
 * Patience with destinations none of whose hosts could be connected to: the run
 * leaves them alone until they are due, then has one worker try, and what goes
 * there waits meanwhile. That is remembered from one run to another
 * (lib/spool/unreachable.h).
 *
 * A destination whose hosts answer, and are of no use, is left alone by the run
 * that has met it, for a minute. That may be the fault of a certificate or of a
 * policy and is for each run to find out.
 */

/* So long a run does not try again where there was no network. */
#define THROTTLE_NO_NETWORK_MS 30000

/* See whether a destination is to be left alone now: its is_waiting. The first
 * time what is remembered is looked up. */
void throttle_look(struct spool *spool, struct destination *destination);

/* None of its hosts could be connected to, as the verdict on a message says. */
void throttle_note_failure(struct spool *spool, struct destination *destination,
    const struct verdict *verdict, const char *message);

/* One of its hosts has answered and was of use. Or none was, for another reason
 * than that none answered. */
void throttle_note_answer(struct spool *spool, struct destination *destination);
void throttle_note_unusable(struct destination *destination,
    const struct verdict *verdict);

/* There is no network to reach it by: nothing that is known of it changes. */
void throttle_note_no_network(struct destination *destination);

/* Defer a job at a destination that is_waiting. */
void throttle_pass_by(const struct destination *destination,
    struct task_job *job);

#endif
