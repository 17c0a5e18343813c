/* SPDX-License-Identifier: ISC */

#ifndef PATIENCE_H
#define PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/spool/spool.h"
#include "smtp-deliver/destination.h"

/*
 * Patience with destinations none of whose hosts could be connected to: the run
 * leaves them alone until they are due, then has one worker try, and what goes
 * there waits meanwhile. That is remembered from one run to another
 * (lib/spool/unreached.h).
 *
 * A destination whose hosts answer, and are of no use, is left alone by the run
 * that has met it, for a minute. That may be the fault of a certificate or of a
 * policy and is for each run to find out.
 */

/* See whether a destination is to be left alone now: its is_waiting. The first
 * time what is remembered is looked up. */
void patience_look(struct spool *spool, struct destination *destination);

/* None of its hosts could be connected to, as the verdict on a message says. */
void patience_note_failure(struct spool *spool, struct destination *destination,
    const struct verdict *verdict, const char *message);

/* One of its hosts has answered and was of use. Or none was, for another reason
 * than that none answered. */
void patience_note_answer(struct spool *spool, struct destination *destination);
void patience_note_unusable(struct destination *destination,
    const struct verdict *verdict);

/* A job there is not to be tried now. Returns whether that is so because its
 * hosts cannot be reached; else they are of no use, which is its own verdict. */
static inline bool
patience_is_unreached(const struct destination *destination)
{
	return destination->is_waiting && destination->unusable_until_ms == 0;
}

/* The minute before which a message that was not tried, as its destination is
 * left alone, is not to be looked at again. They are not all the same. */
int64_t patience_next_minute(const struct destination *destination);

#endif
