/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_WALL_H
#define SPOOL_WALL_H

#include "lib/sandbox.h"
#include "lib/spool/spool.h"

/*
 * Tell a wall that is to be closed what its role may do within the spool, and
 * make and open what cannot be made and opened behind it. A spool that is made
 * anew in its place later is another one, and out of reach.
 *
 * Return 0, or a negative errno: the spool cannot be worked with then.
 */

/* Today's folder, queue/new and scratch get names of files, and lose those of a
 * message that fails; what is written to is in scratch. Nothing is read. A
 * session that goes on over midnight stores in the folder that it began with. */
int wall_allow_session(struct spool *spool, struct sandbox *sandbox);

/* What sessions do before they close their own: any day's folder. */
int wall_allow_listener(struct spool *spool, struct sandbox *sandbox);

/* The queue and scratch, as is needed; stored mail is out of reach. */
int wall_allow_delivery(struct spool *spool, struct sandbox *sandbox);

/* Lists folders, tries scratch out, and reads counters; no message. */
int wall_allow_health(struct spool *spool, struct sandbox *sandbox);

#endif
