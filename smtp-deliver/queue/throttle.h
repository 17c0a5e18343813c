/* SPDX-License-Identifier: ISC */

#ifndef THROTTLE_H
#define THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/spool/spool.h"
#include "smtp-deliver/queue/destination.h"

/*
 * Throttled destinations get no worker; their mail is deferred.
 *
 * A destination is throttled while it is unreachable: no connection to any of
 * its hosts succeeded. When the time of its back-off is over one worker tries
 * it. That state is kept from one run to the next (lib/spool/unreachable.h).
 *
 * A destination whose hosts answer but are unusable, because of a certificate
 * or a policy for instance, is throttled for a minute, by this run only.
 * Without a network destinations are throttled for a moment.
 */

/* How long a run waits where there was no network. */
#define THROTTLE_NO_NETWORK_MS 30000

/* Update a destination's is_throttled. The first time, recall its state from
 * the spool. */
void throttle_update(struct spool *spool, struct destination *destination);

/* Throttle a destination: no connection to its hosts succeeded, as the verdict
 * on the message with that envelope says. */
void throttle_note_unreachable(struct spool *spool,
    struct destination *destination, const struct verdict *verdict,
    const struct envelope *envelope);

/* A host of the destination was usable: end its being unreachable. */
void throttle_note_answer(struct spool *spool, struct destination *destination);

/* Throttle a destination: hosts answer, and none is usable. */
void throttle_note_unusable(struct destination *destination,
    const struct verdict *verdict);

/* Throttle a destination that there is no network to; its state in the spool
 * does not change. */
void throttle_note_no_network(struct destination *destination);

/* Defer a job of a throttled destination. */
void throttle_defer_job(const struct destination *destination,
    struct task_job *job);

#endif
