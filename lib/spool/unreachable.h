/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_UNREACHABLE_H
#define SPOOL_UNREACHABLE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/spool/attempts.h"
#include "lib/spool/spool.h"

/*
 * What is remembered of a destination none of whose hosts can be connected to,
 * from one run to the next. If it gets lost there is one more attempt.
 */
struct unreachable {
	int64_t since_real_ms; /* the first failed attempt */
	int64_t until_real_ms; /* no attempt before then */
	struct attempt last; /* number: how many attempts have failed; deferred,
			      * recipient 0 */
};

/* No more destinations are remembered. */
#define UNREACHABLE_MAX 10000

/* So long after until_real_ms it is outdated. */
#define UNREACHABLE_AGE_MS INT64_C(86400000)

#define UNREACHABLE_SIZE (ATTEMPT_LINE_SIZE + 64)

/* Write it as text, and return the length; read it again, and return 0 or
 * -EBADMSG for what unreachable_render() would not have written. */
size_t unreachable_render(const struct unreachable *unreachable,
    char ret_text[UNREACHABLE_SIZE]);
int unreachable_parse(const char *text, size_t length,
    struct unreachable *ret_unreached);

/*
 * Read what is remembered of a destination by its name.
 *
 * Returns 0 or a negative errno: -ENOENT nothing, -EBADMSG it is damaged.
 */
int unreachable_recall(struct spool *spool, const char *destination,
    struct unreachable *ret_unreached);

/* Replace what is remembered, or remove it. Returns 0 or a negative errno;
 * -ENOSPC if there are UNREACHABLE_MAX destinations already. */
int unreachable_remember(struct spool *spool, const char *destination,
    const struct unreachable *unreachable);
int unreachable_forget(struct spool *spool, const char *destination);

#endif
