/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_UNREACHABLE_H
#define SPOOL_UNREACHABLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/spool/attempts.h"
#include "lib/spool/spool.h"

/*
 * What is remembered of a destination none of whose hosts answers, from
 * one run to another, for runs of smtp-deliver. Who reads it may find nothing:
 * then there is one attempt more.
 */
struct unreachable {
	int64_t since_real_ms; /* the first attempt that failed */
	int64_t until_real_ms; /* no attempt before then */
	struct attempt last; /* number: how many have failed; time, status and
			      * detail of the last; deferred, recipient 0 */
};

/* Of more destinations than that nothing is kept. */
#define UNREACHABLE_MAX 10000

/* What was not renewed for so long after its until_real_ms is outdated. */
#define UNREACHABLE_AGE_MS INT64_C(86400000)

#define UNREACHABLE_SIZE (ATTEMPT_LINE_SIZE + 64)

/* As text, and back. The one returns the length; the other 0, or -EBADMSG for
 * what the one would not have written. */
size_t unreachable_render(const struct unreachable *unreachable,
    char ret_text[UNREACHABLE_SIZE]);
int unreachable_parse(const char *text, size_t length,
    struct unreachable *ret_unreached);

/*
 * What is known of a destination, as task_destination() names it.
 *
 * Returns 0, or a negative errno: -ENOENT nothing is, -EBADMSG nothing that
 * could be understood.
 */
int unreachable_recall(struct spool *spool, const char *destination,
    struct unreachable *ret_unreached);

/* Remember it in place of what was, or nothing any more. Returns 0 or a
 * negative errno; -ENOSPC where there are too many already. */
int unreachable_remember(struct spool *spool, const char *destination,
    const struct unreachable *unreachable);
int unreachable_forget(struct spool *spool, const char *destination);

#endif
