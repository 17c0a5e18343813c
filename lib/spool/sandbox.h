/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_SANDBOX_H
#define SPOOL_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

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
int sandbox_allow_session(struct spool *spool, struct sandbox *sandbox);

/* The queue and scratch, as is needed, and policies of domains. Stored mail is
 * out of reach, but notices to senders get their names in today's folder, or the
 * one of the day on which the run began. */
int sandbox_allow_delivery(struct spool *spool, struct sandbox *sandbox);

/* What sessions do before they close their own: any day's folder. */
int sandbox_allow_listener(struct spool *spool, struct sandbox *sandbox);

/* Lists folders, tries scratch out, and reads counters; no message. */
int sandbox_allow_health(struct spool *spool, struct sandbox *sandbox);

/* The spool that is within the wall of a process that stays, and opens it again
 * and again. */
struct sandbox_view {
	const char *path;
	uint64_t identity;
	bool is_whole; /* all of it could be allowed */
	int64_t until_mono_ms; /* of no use after that, if not */
};

/*
 * Open the spool at a path, have it allowed by one of the latter two, and
 * remember what it was. One that cannot be used is no error: who asks for it is
 * told.
 */
struct sandbox_view sandbox_open_view(const char *path, struct sandbox *sandbox,
    int (*allow)(struct spool *spool, struct sandbox *sandbox));

/* Whether another process would see more: something was made, mounted, replaced
 * or given to another owner, or it could not be used and some time has passed. */
bool sandbox_is_outdated(const struct sandbox_view *view);

#endif
