/* SPDX-License-Identifier: ISC */

/*
 * fill.c - put deferred messages into a spool, for the benchmark.
 *
 *	fill SPOOL later COUNT
 *	fill SPOOL due COUNT
 *
 * "later": queue entries in the buckets of retry minutes, none due in the next
 * FIRST_MINUTE minutes. The entries are links to a few messages, because no run
 * opens a message that is not due.
 *
 * "due": complete messages for recipient@[127.0.0.1], due since a minute ago.
 */

#include "config.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/privileges.h"
#include "lib/spool/draft.h"
#include "lib/spool/queue.h"
#include "lib/spool/scan.h"

/* Later than the end of any benchmark, but not so late that smtp-deliver
 * assumes a clock that was set back. */
#define FIRST_MINUTE 40
#define MINUTES (SCAN_RETRY_MAX_MINUTES - 10 - FIRST_MINUTE)
#define LINKS_MAX 30000 /* ext4 allows 65000 */
#define MOST 10000000

static const char text[] = "From: <sender@example.com>\r\n"
			   "Subject: benchmark\r\n\r\nOne of many.\r\n";

/* Queue a message that is deferred to a minute; ret_entry is its entry. */
static void
put_deferred(struct spool *spool, struct queue *queue, int64_t minute,
    struct queue_entry *ret_entry)
{
	struct envelope envelope = { .sender = NULL };
	struct queue_entry entry = { .place = QUEUE_NEW };
	struct draft *draft;
	struct claim *claim;
	int r;

	if ((r = id_make(envelope.id)) < 0 ||
	    (r = envelope_set_sender(&envelope, "sender@example.com")) < 0 ||
	    (r = envelope_add_recipient(&envelope, "recipient@[127.0.0.1]")) <
		0 ||
	    (r = draft_begin(spool, &envelope, &draft)) < 0 ||
	    (r = draft_write(draft, text, sizeof(text) - 1)) < 0 ||
	    (r = draft_commit(draft)) < 0)
		errx(EX_IOERR, "message: %s", strerror(-r));
	draft_free(draft);
	(void)strlcpy(entry.name, envelope.id, sizeof(entry.name));
	envelope_clear(&envelope);
	if ((r = claim_open(spool, &entry, &claim)) < 0 ||
	    (r = queue_defer(queue, claim, minute)) < 0)
		errx(EX_IOERR, "deferral: %s", strerror(-r));
	*ret_entry = claim->entry;
	ret_entry->place = QUEUE_RETRY;
	ret_entry->minute = minute;
	claim_release(claim);
}

/* Link a queued message to more names in the same bucket. */
static void
link_more(int spool_fd, const struct queue_entry *entry, size_t count)
{
	char old[ENTRY_PATH_SIZE], path[ENTRY_PATH_SIZE];
	struct queue_entry more = *entry;

	entry_format_path(entry, old);
	while (count-- > 0) {
		if (id_make(more.name) < 0)
			errx(EX_OSERR, "id");
		entry_format_path(&more, path);
		if (linkat(spool_fd, old, spool_fd, path, 0) == -1)
			err(EX_CANTCREAT, "%s", path);
	}
}

static void
fill_later(struct spool *spool, struct queue *queue, int spool_fd, size_t count)
{
	int64_t minute = clock_real_ms() / 60000 + FIRST_MINUTE;
	size_t share = count / MINUTES + 1;

	if (share > LINKS_MAX)
		share = LINKS_MAX;
	for (size_t i = 0; count > 0; i++) {
		size_t names = share < count ? share : count;
		struct queue_entry entry;

		put_deferred(spool, queue, minute + (int64_t)(i % MINUTES),
		    &entry);
		link_more(spool_fd, &entry, names - 1);
		count -= names;
	}
}

static void
fill_due(struct spool *spool, struct queue *queue, size_t count)
{
	struct queue_entry entry;

	for (size_t i = 0; i < count; i++)
		put_deferred(spool, queue, clock_real_ms() / 60000 - 1, &entry);
}

int
main(int argc, char *argv[])
{
	struct spool *spool;
	struct queue *queue;
	const char *error;
	size_t count;
	int spool_fd, r;

	if (argc != 4)
		errx(EX_USAGE, "see fill.c");
	count = (size_t)strtonum(argv[3], 0, MOST, &error);
	if (error != NULL)
		errx(EX_USAGE, "%s: %s", argv[3], error);
	if ((r = privileges_become_owner(argv[1])) < 0 ||
	    (r = spool_open(argv[1], &spool)) < 0 ||
	    (r = queue_open(spool, &queue)) < 0)
		errc(EX_IOERR, -r, "%s", argv[1]);
	if ((spool_fd = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(EX_IOERR, "%s", argv[1]);
	if (strcmp(argv[2], "later") == 0)
		fill_later(spool, queue, spool_fd, count);
	else if (strcmp(argv[2], "due") == 0)
		fill_due(spool, queue, count);
	else
		errx(EX_USAGE, "see fill.c");
	if ((r = queue_sync(queue)) < 0)
		errc(EX_IOERR, -r, "%s", argv[1]);
	close(spool_fd);
	queue_close(queue);
	spool_close(spool);
	return EX_OK;
}
