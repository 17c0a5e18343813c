/* SPDX-License-Identifier: ISC */

/*
 * repair.c - remove what crashes and administrators have left in the spool.
 *
 *	scratch/<id>, unlocked		its session died: removed
 *	scratch/<else>			moved to queue/damaged
 *	queue/retry/<no minute>		moved to queue/damaged
 *	queue/attempts/<id>, old,	its message is gone: removed
 *	  without a message
 *	queue/attempts/<else>		moved to queue/damaged
 *
 *	policies/<any>, old		past the longest max_age: removed
 *	unreached/<any>, old		no attempt for that long: removed
 *	faults/<any>, old		no start of its program since: removed
 *
 * Damage in the entries themselves is found when they are claimed.
 */

#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/spool/layout.h"
#include "lib/spool/names.h"
#include "lib/spool/repair.h"
#include "lib/spool/unreachable.h"

#define INTERVAL_SEC (24 * 3600)

/* The attempts of a message in the queue are written more often than this: an
 * older file has no message, even if a message was moved during the sweep. */
#define ATTEMPTS_AGE_SEC (24 * 3600)

/* The longest max_age of a policy (RFC 8461 section 3.2). */
#define POLICY_AGE_SEC 31557600

/* An entry is written when its destination fails, and holds for an hour. */
#define UNREACHED_AGE_SEC (UNREACHABLE_AGE_MS / 1000 + 3600)

/* A program writes its fault at each failed start, or fails to write it. */
#define FAULT_AGE_SEC (24 * 3600)

/* A session locks its file right after it has made it. */
#define SCRATCH_AGE_SEC 60

#define PATH_SIZE (NAME_MAX + 64)

struct sweep {
	struct spool *spool;
	repair_report *report;
	void *context;
};

/* Examine one name in a folder. Returns 0 or a negative errno. */
typedef int look(struct sweep *sweep, enum spool_folder folder,
    const char *name);

static const char *const folder_paths[FOLDERS] = {
	[FOLDER_RETRY] = NAME_RETRY,
	[FOLDER_ATTEMPTS] = NAME_ATTEMPTS,
	[FOLDER_SCRATCH] = NAME_SCRATCH,
};

static void
report(struct sweep *sweep, enum spool_folder folder, const char *name,
    const char *what)
{
	char path[PATH_SIZE];

	(void)snprintf(path, sizeof(path), "%s/%s", folder_paths[folder], name);
	sweep->report(sweep->context, path, what);
}

static bool
is_older(const struct stat *st, time_t age_sec)
{
	time_t now = time(NULL);

	return st->st_mtime < now - age_sec;
}

static int
remove_name(struct sweep *sweep, enum spool_folder folder, const char *name,
    const char *what)
{
	if (unlinkat(layout_folder(sweep->spool, folder), name, 0) == -1)
		return errno == ENOENT ? 0 : -errno;
	report(sweep, folder, name, what);
	return 0;
}

static int
move_aside(struct sweep *sweep, enum spool_folder folder, const char *name)
{
	int r = layout_keep(layout_folder(sweep->spool, folder), name,
	    layout_folder(sweep->spool, FOLDER_DAMAGED));

	if (r == 0)
		report(sweep, folder, name, "unknown name: set aside");
	return r == -ENOENT ? 0 : r;
}

/* Lock the file of a session that died, until fd is closed. Return whether it
 * is one: a recent file may belong to a session that has not locked it yet. */
static bool
lock_abandoned(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && is_older(&st, SCRATCH_AGE_SEC) &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static int
look_at_scratch(struct sweep *sweep, enum spool_folder folder, const char *name)
{
	int fd, r = 0;

	if (!is_id(name))
		return move_aside(sweep, folder, name);
	fd = openat(layout_folder(sweep->spool, folder), name,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0 : move_aside(sweep, folder, name);
	if (lock_abandoned(fd))
		r = remove_name(sweep, folder, name,
		    "left by a session that died: removed");
	close(fd);
	return r;
}

static int
look_at_bucket(struct sweep *sweep, enum spool_folder folder, const char *name)
{
	struct stat st;
	int64_t minute;

	if (fstatat(layout_folder(sweep->spool, folder), name, &st,
		AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : -errno;
	if (name_parse_bucket(name, &minute) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return move_aside(sweep, folder, name);
}

static bool
has_name(struct sweep *sweep, enum spool_folder folder, const char *name)
{
	return faccessat(layout_folder(sweep->spool, folder), name, F_OK,
		   AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether a bucket has a message with that id. */
static int
is_in_bucket(struct sweep *sweep, const char *id, bool *ret_is_there)
{
	char path[PATH_SIZE];
	struct dirent *dirent;
	DIR *folder;
	int r;

	r = layout_open_listing(sweep->spool, FOLDER_RETRY, &folder);
	if (r < 0)
		return r;
	*ret_is_there = false;
	while (
	    !*ret_is_there && (errno = 0, dirent = readdir(folder)) != NULL) {
		(void)snprintf(path, sizeof(path), "%s/%s", dirent->d_name, id);
		*ret_is_there = has_name(sweep, FOLDER_RETRY, path);
	}
	if (!*ret_is_there)
		r = -errno; /* 0 at the end */
	closedir(folder);
	return r;
}

static int
is_old_attempts(struct sweep *sweep, const char *name, bool *ret_is_old)
{
	struct stat st;

	*ret_is_old = false;
	if (fstatat(layout_folder(sweep->spool, FOLDER_ATTEMPTS), name, &st,
		AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : -errno;
	*ret_is_old = is_older(&st, ATTEMPTS_AGE_SEC);
	return 0;
}

static int
look_at_attempts(struct sweep *sweep, enum spool_folder folder,
    const char *name)
{
	bool is_old, is_there;
	int r;

	if (!is_id(name))
		return move_aside(sweep, folder, name);
	if ((r = is_old_attempts(sweep, name, &is_old)) < 0 || !is_old ||
	    has_name(sweep, FOLDER_NEW, name))
		return r;
	if ((r = is_in_bucket(sweep, name, &is_there)) < 0 || is_there)
		return r;
	if (has_name(sweep, FOLDER_FAILED, name) ||
	    has_name(sweep, FOLDER_DAMAGED, name))
		return 0;
	/* If the message was moved past us, its attempts were written again. */
	if ((r = is_old_attempts(sweep, name, &is_old)) < 0 || !is_old)
		return r;
	return remove_name(sweep, folder, name,
	    "attempts of a message that is gone: removed");
}

/* Remove an old entry of a cache, without a report. */
static void
drop_if_older(struct sweep *sweep, enum spool_folder folder, const char *name,
    time_t age_sec)
{
	int folder_fd = layout_folder(sweep->spool, folder);
	struct stat st;

	if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    is_older(&st, age_sec))
		(void)unlinkat(folder_fd, name, 0);
}

static int
look_at_policy(struct sweep *sweep, enum spool_folder folder, const char *name)
{
	drop_if_older(sweep, folder, name, POLICY_AGE_SEC);
	return 0;
}

static int
look_at_unreached(struct sweep *sweep, enum spool_folder folder,
    const char *name)
{
	drop_if_older(sweep, folder, name, UNREACHED_AGE_SEC);
	return 0;
}

static int
look_at_fault(struct sweep *sweep, enum spool_folder folder, const char *name)
{
	drop_if_older(sweep, folder, name, FAULT_AGE_SEC);
	return 0;
}

static int
sweep_folder(struct sweep *sweep, enum spool_folder folder, look *look_at)
{
	struct dirent *dirent;
	DIR *listing;
	int r;

	r = layout_open_listing(sweep->spool, folder, &listing);
	if (r < 0)
		return r;
	while (r == 0 && (errno = 0, dirent = readdir(listing)) != NULL)
		if (strcmp(dirent->d_name, ".") != 0 &&
		    strcmp(dirent->d_name, "..") != 0)
			r = look_at(sweep, folder, dirent->d_name);
	if (r == 0 && dirent == NULL)
		r = -errno; /* 0 at the end */
	closedir(listing);
	return r;
}

bool
repair_is_due(struct spool *spool)
{
	struct stat st;

	if (fstatat(layout_folder(spool, FOLDER_ROOT), NAME_SWEPT, &st,
		AT_SYMLINK_NOFOLLOW) == -1)
		return true;
	/* A clock that was set back makes it due as well. */
	return is_older(&st, INTERVAL_SEC) || !is_older(&st, -60);
}

static int
note_sweep(struct spool *spool)
{
	int fd = openat(layout_folder(spool, FOLDER_ROOT), NAME_SWEPT,
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd == -1)
		return -errno;
	r = futimens(fd, NULL) == 0 ? 0 : -errno;
	close(fd);
	return r;
}

int
repair_sweep(struct spool *spool, repair_report *report_to, void *context)
{
	struct sweep sweep = { spool, report_to, context };
	int r;

	if ((r = sweep_folder(&sweep, FOLDER_SCRATCH, look_at_scratch)) < 0 ||
	    (r = sweep_folder(&sweep, FOLDER_RETRY, look_at_bucket)) < 0 ||
	    (r = sweep_folder(&sweep, FOLDER_ATTEMPTS, look_at_attempts)) < 0 ||
	    (r = sweep_folder(&sweep, FOLDER_POLICIES, look_at_policy)) < 0 ||
	    (r = sweep_folder(&sweep, FOLDER_UNREACHABLE, look_at_unreached)) <
		0 ||
	    (r = sweep_folder(&sweep, FOLDER_FAULTS, look_at_fault)) < 0)
		return r;
	return note_sweep(spool);
}
