/* SPDX-License-Identifier: ISC */

/*
 * unreachable.c - what runs remember of unreachable destinations.
 *
 *	1763836310123 1763836440000 3 1763836380456 0 deferred 4.4.1 timed out
 *
 * Since when it is unreachable, and until when no attempt is made; then the
 * last attempt, as a line of an attempt file (attempts.c), whose number is how
 * many attempts have failed.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/spool/cache.h"
#include "lib/spool/unreachable.h"

size_t
unreachable_render(const struct unreachable *unreachable,
    char ret_text[UNREACHABLE_SIZE])
{
	char line[ATTEMPT_LINE_SIZE];
	size_t length = attempt_render(&unreachable->last, line);
	int used =
	    snprintf(ret_text, UNREACHABLE_SIZE, "%" PRId64 " %" PRId64 " ",
		unreachable->since_real_ms, unreachable->until_real_ms);

	memcpy(ret_text + used, line, length);
	return (size_t)used + length;
}

static int
parse_times(const char *text, size_t length, struct unreachable *ret_unreached,
    size_t *ret_used)
{
	char times[64];
	int used = 0;

	if (length >= sizeof(times))
		length = sizeof(times) - 1;
	memcpy(times, text, length);
	times[length] = '\0';
	/* NOLINTNEXTLINE(cert-err34-c): the widths bound each number */
	if (sscanf(times, "%18" SCNd64 " %18" SCNd64 "%n",
		&ret_unreached->since_real_ms, &ret_unreached->until_real_ms,
		&used) != 2 ||
	    times[used] != ' ')
		return -EBADMSG;
	*ret_used = (size_t)used + 1;
	return 0;
}

int
unreachable_parse(const char *text, size_t length,
    struct unreachable *ret_unreached)
{
	char again[UNREACHABLE_SIZE];
	size_t start, used;

	if (parse_times(text, length, ret_unreached, &start) < 0 ||
	    attempt_parse(text + start, length - start, &ret_unreached->last,
		&used) < 0 ||
	    ret_unreached->last.state.outcome != OUTCOME_DEFERRED ||
	    ret_unreached->last.state.told != TOLD_NO ||
	    ret_unreached->last.number == 0 ||
	    ret_unreached->since_real_ms < 0 ||
	    ret_unreached->until_real_ms < 0 || start + used != length)
		return -EBADMSG;
	if (unreachable_render(ret_unreached, again) != length ||
	    memcmp(again, text, length) != 0)
		return -EBADMSG;
	return 0;
}

/* Domains are case-insensitive. */
static int
open_note(struct spool *spool, const char *destination,
    struct cache_place *ret_place)
{
	char about[1024];
	size_t length = strlcpy(about, destination, sizeof(about));

	if (length >= sizeof(about))
		return -ENAMETOOLONG;
	for (char *p = about; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return cache_open(spool, CACHE_UNREACHABLE, about, ret_place);
}

int
unreachable_recall(struct spool *spool, const char *destination,
    struct unreachable *ret_unreached)
{
	char text[UNREACHABLE_SIZE];
	struct cache_place place;
	ssize_t n;
	int r;

	if ((r = open_note(spool, destination, &place)) < 0)
		return r;
	n = cache_read(&place, text, sizeof(text));
	close(place.folder_fd);
	if (n < 0)
		return n == -EMSGSIZE ? -EBADMSG : (int)n;
	return unreachable_parse(text, (size_t)n, ret_unreached);
}

int
unreachable_remember(struct spool *spool, const char *destination,
    const struct unreachable *unreachable)
{
	char text[UNREACHABLE_SIZE];
	size_t length = unreachable_render(unreachable, text);
	struct cache_place place;
	uint64_t count = 0;
	int r;

	/* If it has failed before, it is counted already. */
	if (unreachable->last.number == 1 &&
	    cache_count(spool, CACHE_UNREACHABLE, &count) == 0 &&
	    count >= UNREACHABLE_MAX)
		return -ENOSPC;
	if ((r = open_note(spool, destination, &place)) < 0)
		return r;
	r = cache_write(&place, text, length);
	close(place.folder_fd);
	return r;
}

int
unreachable_forget(struct spool *spool, const char *destination)
{
	struct cache_place place;
	int r;

	if ((r = open_note(spool, destination, &place)) < 0)
		return r;
	r = cache_remove(&place);
	close(place.folder_fd);
	return r;
}
