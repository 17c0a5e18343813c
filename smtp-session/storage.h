/* SPDX-License-Identifier: ISC */

#ifndef STORAGE_H
#define STORAGE_H

#include "lib/counters.h"
#include "lib/sandbox.h"
#include "smtp-session/settings.h"
#include "lib/spool/spool.h"

/* Where a session puts mail, and how it is counted. */
struct storage {
	struct spool *spool; /* NULL: it cannot be used */
	int error; /* why, as a negative errno */
	struct counters *counters; /* NULL: nothing is counted */
	int presence_fd; /* -1: the session is not counted */
};

/*
 * Open the spool for one session, and allow in the sandbox what is needed of
 * it. The counters and the presence of the session are optional: without them
 * it goes uncounted.
 *
 * ret_storage	always to be given to storage_close().
 * ret_trouble	on error, what is wrong or lacking; lives as long as the
 *		settings.
 *
 * Returns 0, or a negative errno if no mail can be stored.
 */
int storage_open(const struct session_settings *settings,
    struct sandbox *sandbox, struct storage *ret_storage,
    const char **ret_trouble);

void storage_close(struct storage *storage);

#endif
