/* SPDX-License-Identifier: ISC */

/*
 * draft.c - take a message into the spool, durably.
 *
 * One file without a name is locked and written: the envelope's block, then
 * the message. To commit, the block's seal is filled in, every name is made,
 * and only then the file is flushed: a flush that comes after the names makes
 * them durable too, and is the only one that is needed if
 * layout_is_flush_enough(). The lock keeps smtp-deliver from the message until
 * the client can be answered; the kernel releases it if we die.
 */

#include "config.h"

#include <sys/file.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/spool/checksum.h"
#include "lib/spool/draft.h"
#include "lib/spool/layout.h"
#include "lib/spool/names.h"

#define BUFFER_SIZE 65536
#define LARGE_SIZE (BUFFER_SIZE / 2) /* a call costs less than a copy */

struct draft {
	struct spool *spool;
	const struct envelope *envelope;
	struct checksum *checksum;
	int fd;
	bool is_named; /* its id is its name in scratch */
	uint64_t seal_offset;
	uint64_t block_size; /* with the notes */
	uint64_t notes_size;
	uint64_t flushed; /* octets of the file that left the buffer */
	size_t used;
	char buffer[BUFFER_SIZE];
};

static int
flush_buffer(struct draft *draft)
{
	int r = layout_write(draft->fd, draft->buffer, draft->used,
	    (int64_t)draft->flushed);

	if (r < 0)
		return r;
	draft->flushed += draft->used;
	draft->used = 0;
	return 0;
}

/* Write large pieces directly, unless the buffer may come to hold the whole
 * file: a small message takes one write. */
static int
append(struct draft *draft, const char *data, size_t size_bytes)
{
	bool is_room = size_bytes <= BUFFER_SIZE - draft->used;
	bool is_large =
	    size_bytes >= LARGE_SIZE && (draft->flushed > 0 || !is_room);
	int r;

	if ((is_large || !is_room) && (r = flush_buffer(draft)) < 0)
		return r;
	if (!is_large) {
		memcpy(draft->buffer + draft->used, data, size_bytes);
		draft->used += size_bytes;
		return 0;
	}
	r = layout_write(draft->fd, data, size_bytes, (int64_t)draft->flushed);
	if (r == 0)
		draft->flushed += size_bytes;
	return r;
}

static int
write_block(struct draft *draft)
{
	static const char empty_seal[ENVELOPE_SEAL_SIZE];
	char *text, notes[ENVELOPE_NOTES_SIZE];
	size_t length;
	int r;

	if ((r = envelope_render(draft->envelope, &text, &length)) < 0)
		return r;
	checksum_add(draft->checksum, text, length);
	draft->seal_offset = length;
	draft->notes_size = envelope_render_notes(draft->envelope, notes);
	draft->block_size = length + ENVELOPE_SEAL_SIZE + draft->notes_size;
	checksum_add(draft->checksum, notes, draft->notes_size);
	if ((r = append(draft, text, length)) == 0 &&
	    (r = append(draft, empty_seal, sizeof(empty_seal))) == 0)
		r = append(draft, notes, draft->notes_size);
	free(text);
	return r;
}

int
draft_begin(struct spool *spool, const struct envelope *envelope,
    struct draft **ret_draft)
{
	struct draft *draft = malloc(sizeof(*draft));
	int r;

	if (draft == NULL)
		return -ENOMEM;
	draft->spool = spool;
	draft->envelope = envelope;
	draft->is_named = false;
	draft->flushed = draft->used = 0;
	draft->fd = -1;
	if ((draft->checksum = checksum_new()) == NULL) {
		r = -ENOMEM;
		goto fail;
	}
	r = draft->fd =
	    layout_open_unnamed(spool, envelope->id, &draft->is_named);
	if (r < 0)
		goto fail;
	if (flock(draft->fd, LOCK_EX | LOCK_NB) == -1) {
		r = -errno;
		goto fail;
	}
	if ((r = write_block(draft)) < 0)
		goto fail;
	*ret_draft = draft;
	return 0;

fail:
	draft_free(draft);
	return r;
}

int
draft_write(struct draft *draft, const void *data, size_t size_bytes)
{
	checksum_add(draft->checksum, data, size_bytes);
	return append(draft, data, size_bytes);
}

uint64_t
draft_size(const struct draft *draft)
{
	return draft->flushed + draft->used - draft->block_size;
}

/* Fill in the seal: in the buffer while that still holds the whole file. */
static int
write_seal(struct draft *draft)
{
	struct envelope_seal seal = {
		.size_bytes = draft->notes_size + draft_size(draft),
		.checksum = checksum_value(draft->checksum),
	};
	char text[ENVELOPE_SEAL_SIZE + 1];
	int r;

	envelope_render_seal(&seal, text);
	if (draft->flushed == 0) {
		memcpy(draft->buffer + draft->seal_offset, text,
		    ENVELOPE_SEAL_SIZE);
		return flush_buffer(draft);
	}
	if ((r = flush_buffer(draft)) < 0)
		return r;
	return layout_write(draft->fd, text, ENVELOPE_SEAL_SIZE,
	    (int64_t)draft->seal_offset);
}

static int
link_name(struct draft *draft, int folder_fd, const char *name)
{
	return layout_link(draft->spool, draft->fd, draft->envelope->id,
	    draft->is_named, folder_fd, name);
}

static int
make_mail_name(struct draft *draft, size_t recipient,
    char ret_name[NAME_MAIL_SIZE])
{
	char token[TOKEN_SIZE];
	int r = spool_token(draft->spool,
	    draft->envelope->recipients[recipient], token);

	if (r == 0)
		name_format_mail(draft->envelope->id, token, ret_name);
	return r;
}

/* Remove the names of the first recipients. */
static void
unlink_mail_names(struct draft *draft, int day_fd, size_t recipients)
{
	char name[NAME_MAIL_SIZE];

	for (size_t i = 0; i < recipients; i++)
		if (make_mail_name(draft, i, name) == 0)
			(void)unlinkat(day_fd, name, 0);
}

static void
unlink_queue_name(struct draft *draft)
{
	(void)unlinkat(layout_folder(draft->spool, FOLDER_NEW),
	    draft->envelope->id, 0);
}

static int
link_mail_names(struct draft *draft, int day_fd)
{
	char name[NAME_MAIL_SIZE];

	for (size_t i = 0; i < draft->envelope->recipient_count; i++) {
		int r;

		if ((r = make_mail_name(draft, i, name)) == 0)
			r = link_name(draft, day_fd, name);
		if (r < 0) {
			/* Even a link that failed may exist, because a network
			 * file system can lose the answer; except if the name
			 * is another file's. */
			unlink_mail_names(draft, day_fd,
			    r == -EEXIST ? i : i + 1);
			return r;
		}
	}
	return 0;
}

/* Link a name for each recipient, then the queue's: a message in the queue has
 * all of its names. */
static int
link_names(struct draft *draft, int day_fd)
{
	int r;

	if ((r = link_mail_names(draft, day_fd)) < 0)
		return r;
	r = link_name(draft, layout_folder(draft->spool, FOLDER_NEW),
	    draft->envelope->id);
	if (r < 0) {
		if (r != -EEXIST)
			unlink_queue_name(draft);
		unlink_mail_names(draft, day_fd,
		    draft->envelope->recipient_count);
	}
	return r;
}

static void
unlink_all_names(struct draft *draft, int day_fd)
{
	unlink_queue_name(draft);
	unlink_mail_names(draft, day_fd, draft->envelope->recipient_count);
}

static void
drop_scratch_name(struct draft *draft)
{
	if (draft->is_named)
		(void)unlinkat(layout_folder(draft->spool, FOLDER_SCRATCH),
		    draft->envelope->id, 0);
	draft->is_named = false;
}

/* Link all names, in the folder of today. */
static int
link_names_of_today(struct draft *draft, int *ret_day_fd)
{
	int day_fd = layout_day_folder(draft->spool, clock_real_ms());

	if (day_fd < 0)
		return day_fd;
	*ret_day_fd = day_fd;
	return link_names(draft, day_fd);
}

static int
flush_to_disk(struct draft *draft)
{
	if (fsync(draft->fd) == -1)
		return -errno;
	return layout_is_flush_enough(draft->spool)
	    ? 0
	    : layout_flush_names(draft->spool);
}

int
draft_commit(struct draft *draft)
{
	int day_fd, r;

	if ((r = write_seal(draft)) < 0)
		return r;
	r = link_names_of_today(draft, &day_fd);
	if (r == -ENOENT) {
		/* The open folder was removed by somebody. */
		layout_close_day(draft->spool);
		r = link_names_of_today(draft, &day_fd);
	}
	if (r < 0)
		return r;
	drop_scratch_name(draft);
	if ((r = flush_to_disk(draft)) < 0)
		unlink_all_names(draft, day_fd);
	return r;
}

void
draft_free(struct draft *draft)
{
	if (draft == NULL)
		return;
	drop_scratch_name(draft);
	checksum_free(draft->checksum);
	if (draft->fd >= 0)
		close(draft->fd);
	free(draft);
}
