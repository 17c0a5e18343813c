/* SPDX-License-Identifier: ISC */

/*
 * claim.c - lock a message of the queue for this process, and read it.
 *
 * The claim is a lock on the message's inode, which the process that accepts or
 * delivers it holds. A claimed message is whole: its seal was verified.
 */

#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/spool/claim.h"
#include "lib/spool/layout.h"

static int
open_attempts(const struct claim *claim, int flags)
{
	char path[ENTRY_PATH_SIZE];
	int fd;

	(void)snprintf(path, sizeof(path), NAME_ATTEMPTS "/%s",
	    claim->message.envelope.id);
	fd = openat(layout_folder(claim->spool, FOLDER_ROOT), path,
	    flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -errno;
	return fd;
}

static int
read_file(int fd, struct attempts_reader *reader)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return -errno;
	if ((reader->text = malloc((size_t)st.st_size + 1)) == NULL)
		return -ENOMEM;
	n = layout_read_start(fd, reader->text, (size_t)st.st_size);
	if (n < 0) {
		attempts_free(reader);
		return (int)n;
	}
	reader->length = (size_t)n;
	return 0;
}

int
claim_read_attempts(const struct claim *claim,
    struct attempts_reader *ret_reader)
{
	int fd, r;

	*ret_reader = (struct attempts_reader){
		.recipient_count = claim->message.envelope.recipient_count,
	};
	fd = open_attempts(claim, O_RDONLY);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0) /* no error of claim_open()'s: the message is in order */
		return -EIO;
	r = read_file(fd, ret_reader);
	close(fd);
	return r;
}

bool
attempts_next(struct attempts_reader *reader, struct attempt *ret_attempt)
{
	size_t used;
	int r;

	if (reader->text == NULL)
		return false;
	while ((r = attempt_parse(reader->text + reader->used,
		    reader->length - reader->used, ret_attempt, &used)) !=
	    -EAGAIN) {
		reader->used += used;
		if (r == 0 && ret_attempt->recipient < reader->recipient_count)
			return true;
	}
	return false;
}

void
attempts_free(struct attempts_reader *reader)
{
	free(reader->text);
	reader->text = NULL;
}

static void
apply_state(struct claim *claim, const struct attempt *attempt)
{
	/* The recipient is deferred as before. */
	if (attempt->state.outcome == OUTCOME_DEFERRED &&
	    attempt->state.told == TOLD_YES)
		claim->is_delay_told = true;
	else
		claim->states[attempt->recipient] = attempt->state;
}

/* Read the results of former attempts. Damaged lines are ignored: at worst an
 * attempt is repeated. */
static int
read_attempts(struct claim *claim)
{
	struct attempt attempt;
	struct attempts_reader reader;
	unsigned last_fruitful = 0;
	int r;

	claim->attempt = 1;
	claim->fruitful = 0;
	claim->states = calloc(claim->message.envelope.recipient_count,
	    sizeof(*claim->states));
	if (claim->states == NULL)
		return -ENOMEM;
	if ((r = claim_read_attempts(claim, &reader)) < 0)
		return r;
	while (attempts_next(&reader, &attempt)) {
		apply_state(claim, &attempt);
		if (attempt.state.outcome == OUTCOME_DELIVERED &&
		    attempt.number > last_fruitful) {
			last_fruitful = attempt.number;
			claim->fruitful++;
		}
		if (attempt.number >= claim->attempt)
			claim->attempt = attempt.number + 1;
	}
	attempts_free(&reader);
	return 0;
}

/* Lock the file, and check that it still has its name: the process that held
 * the claim before may have moved it while we opened it. */
static int
lock_file(int fd, int root_fd, const char *path, struct stat *ret_st)
{
	struct stat named;

	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		return -errno;
	if (fstat(fd, ret_st) == -1 ||
	    fstatat(root_fd, path, &named, AT_SYMLINK_NOFOLLOW) == -1)
		return -errno;
	if (named.st_ino != ret_st->st_ino || named.st_dev != ret_st->st_dev)
		return -ENOENT;
	if (!S_ISREG(ret_st->st_mode))
		return -EBADMSG;
	/* Only this user, or root, puts mail into this queue; root may deliver
	 * that of any user. */
	if (ret_st->st_uid != geteuid() && geteuid() != 0)
		return -EPERM;
	return 0;
}

/* Remove a name in the queue if it is the claimed message's. */
static void
drop_twin(const struct claim *claim, const struct stat *st,
    const struct queue_entry *twin)
{
	int root_fd = layout_folder(claim->spool, FOLDER_ROOT);
	char path[ENTRY_PATH_SIZE];
	struct stat named;

	entry_format_path(twin, path);
	if (fstatat(root_fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    named.st_ino == st->st_ino && named.st_dev == st->st_dev)
		(void)unlinkat(root_fd, path, 0);
}

/*
 * A power cut during a deferral can leave a message in both its old and its new
 * place (seen on btrfs): its link count is one too many then. Keep only the
 * name that was claimed, or the message would be delivered twice.
 */
static void
drop_twins(const struct claim *claim, const struct stat *st)
{
	struct queue_entry twin = claim->entry;
	struct dirent *dirent;
	DIR *listing;

	if (st->st_nlink <= claim->message.envelope.recipient_count + 1)
		return;
	twin.place = QUEUE_NEW;
	if (claim->entry.place != QUEUE_NEW)
		drop_twin(claim, st, &twin);
	if (layout_open_listing(claim->spool, FOLDER_RETRY, &listing) < 0)
		return;
	twin.place = QUEUE_RETRY;
	while ((dirent = readdir(listing)) != NULL)
		if (name_parse_bucket(dirent->d_name, &twin.minute) == 0 &&
		    (claim->entry.place != QUEUE_RETRY ||
			twin.minute != claim->entry.minute))
			drop_twin(claim, st, &twin);
	closedir(listing);
}

/* Open the file of an entry and lock it. Returns the descriptor or a negative
 * errno. */
static int
open_locked(struct spool *spool, const struct queue_entry *entry,
    struct stat *ret_st)
{
	int root_fd = layout_folder(spool, FOLDER_ROOT), fd, r;
	char path[ENTRY_PATH_SIZE];

	entry_format_path(entry, path);
	/* For writing, although nothing is written: NFS locks only these. */
	fd =
	    openat(root_fd, path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return errno == ELOOP || errno == EISDIR ? -EBADMSG : -errno;
	if ((r = lock_file(fd, root_fd, path, ret_st)) < 0) {
		close(fd);
		return r;
	}
	return fd;
}

/* Make a claim of a locked message. */
static int
new_claim(struct spool *spool, const struct queue_entry *entry, int fd,
    struct claim **ret_claim)
{
	struct claim *claim = calloc(1, sizeof(*claim));
	int r;

	if (claim == NULL)
		return -ENOMEM;
	claim->spool = spool;
	claim->entry = *entry;
	r = message_open_whole(fd, &claim->message);
	if (r == 0 && strcmp(claim->message.envelope.id, entry->name) != 0) {
		envelope_clear(&claim->message.envelope);
		r = -EBADMSG;
	}
	if (r < 0)
		free(claim);
	else
		*ret_claim = claim;
	return r;
}

int
claim_open(struct spool *spool, const struct queue_entry *entry,
    struct claim **ret_claim)
{
	struct claim *claim;
	struct stat st = { .st_nlink = 0 };
	int fd, r;

	if (!is_id(entry->name))
		return -EBADMSG;
	if ((fd = open_locked(spool, entry, &st)) < 0)
		return fd;
	if ((r = new_claim(spool, entry, fd, &claim)) < 0) {
		close(fd);
		return r;
	}
	if ((r = read_attempts(claim)) < 0) {
		claim_release(claim);
		return r;
	}
	drop_twins(claim, &st);
	*ret_claim = claim;
	return 0;
}

void
claim_release(struct claim *claim)
{
	if (claim == NULL)
		return;
	message_close(&claim->message);
	free(claim->states);
	free(claim);
}

/* Append a line. If the last one was cut short, write its newline first, so
 * that it stays a damaged line of its own. */
static int
append_attempt(int fd, const struct attempt *attempt)
{
	char line[1 + ATTEMPT_LINE_SIZE] = "\n", last = '\n';
	off_t size = lseek(fd, 0, SEEK_END);
	size_t start, length;
	ssize_t n;

	if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
		return -EIO;
	start = last != '\n' ? 1 : 0;
	length = start + attempt_render(attempt, line + start);

	do
		n = write(fd, line, length);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -errno;
	return (size_t)n == length ? 0 : -ENOSPC;
}

static int
flush_record(const struct claim *claim, int fd)
{
	if (fsync(fd) == -1)
		return -1;
	return layout_is_flush_enough(claim->spool)
	    ? 0
	    : fsync(layout_folder(claim->spool, FOLDER_ATTEMPTS));
}

int
claim_record(struct claim *claim, struct attempt *attempts, size_t count)
{
	bool has_delivery = false;
	int fd, r = 0;

	if ((fd = open_attempts(claim, O_RDWR | O_APPEND | O_CREAT)) < 0)
		return fd;
	for (size_t i = 0; r == 0 && i < count; i++) {
		attempts[i].time_real_ms = clock_real_ms();
		attempts[i].number = claim->attempt - attempts[i].is_untried;
		r = append_attempt(fd, &attempts[i]);
		if (r == 0)
			apply_state(claim, &attempts[i]);
		has_delivery |= attempts[i].state.outcome == OUTCOME_DELIVERED;
	}
	if (has_delivery && flush_record(claim, fd) < 0 && r == 0)
		r = -errno;
	close(fd);
	return r;
}
