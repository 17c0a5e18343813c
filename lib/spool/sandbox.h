/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_SANDBOX_H
#define SPOOL_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/sandbox.h"
#include "lib/spool/spool.h"

/*
 * Allow a role in a sandbox what it needs of the spool, and make and open what
 * it cannot make and open inside. A spool that replaces this one later is out
 * of reach.
 *
 * Return 0, or a negative errno: the spool is unusable then.
 */

/* Make and remove names in today's folder, queue/new and scratch; write in
 * scratch; read nothing. A session that lasts past midnight stores mail in the
 * folder that it began with. */
int sandbox_allow_session(struct spool *spool, struct sandbox *sandbox);

/* Use the queue, scratch, and what is cached about destinations. Stored mail is
 * out of reach, but DSNs get names in the folder of the day on which the run
 * began. */
int sandbox_allow_delivery(struct spool *spool, struct sandbox *sandbox);

/* Do what sessions do before they enter their own sandbox; use any day's
 * folder. */
int sandbox_allow_listener(struct spool *spool, struct sandbox *sandbox);

/* List folders, test scratch, read counters; no message. */
int sandbox_allow_health(struct spool *spool, struct sandbox *sandbox);

/* The spool that is in the sandbox of a process that stays and opens it many
 * times. */
struct sandbox_view {
	const char *path;
	uint64_t identity;
	bool is_whole; /* all was allowed */
	int64_t until_mono_ms; /* if not: outdated then */
};

/*
 * Open the spool at a path, call allow on it, which is one of the latter two,
 * and record its state. An unusable spool is not an error here: opening it
 * again reports that.
 */
struct sandbox_view sandbox_open_view(const char *path, struct sandbox *sandbox,
    int (*allow)(struct spool *spool, struct sandbox *sandbox));

/* Whether a new process would see more: files were made, mounted, replaced or
 * given to another owner, or the spool was unusable and some time has
 * passed. */
bool sandbox_is_outdated(const struct sandbox_view *view);

#endif
