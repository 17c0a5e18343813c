/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_UNREACHED_H
#define SPOOL_UNREACHED_H

#include <stddef.h>
#include <stdint.h>

#include "lib/spool/attempts.h"
#include "lib/spool/spool.h"

/*
 * What is remembered of a destination none of whose hosts answers, from
 * one run to another, for runs of smtp-deliver. Who reads it may find nothing:
 * then there is one attempt more.
 */
struct unreached {
	int64_t since_ms; /* the first attempt that failed, since 1970 */
	int64_t until_ms; /* no attempt before then */
	struct attempt last; /* number: how many have failed; time, status and
			      * detail of the last; deferred, recipient 0 */
};

/* Of more destinations than that nothing is kept. */
#define UNREACHED_MAX 10000

/* What was not renewed for so long after its until_ms is outdated. */
#define UNREACHED_AGE_MS INT64_C(86400000)

#define UNREACHED_SIZE (ATTEMPT_LINE_SIZE + 64)

/* As text, and back. The one returns the length; the other 0, or -EBADMSG for
 * what the one would not have written. */
size_t unreached_render(const struct unreached *unreached,
    char ret_text[UNREACHED_SIZE]);
int unreached_parse(const char *text, size_t length,
    struct unreached *ret_unreached);

/*
 * What is known of a destination, as task_destination() names it.
 *
 * Returns 0, or a negative errno: -ENOENT nothing is, -EBADMSG nothing that
 * could be understood.
 */
int unreached_recall(struct spool *spool, const char *destination,
    struct unreached *ret_unreached);

/* Remember it in place of what was, or nothing any more. Returns 0 or a
 * negative errno; -ENOSPC where there are too many already. */
int unreached_remember(struct spool *spool, const char *destination,
    const struct unreached *unreached);
int unreached_forget(struct spool *spool, const char *destination);

#endif
