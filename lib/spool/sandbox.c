/* SPDX-License-Identifier: ISC */

/*
 * sandbox.c - the access to the spool that sandboxes allow.
 *
 * Rules of Landlock hold for everything below a folder, and for the folder that
 * existed when they were made, not for one that gets its name later.
 */

#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/spool/probe.h"
#include "lib/spool/filesystem.h"
#include "lib/spool/key.h"
#include "lib/spool/layout.h"
#include "lib/spool/names.h"
#include "lib/spool/sandbox.h"

/* The lifetime of a process that could not use the spool when it entered its
 * sandbox: its successor may be able to. */
#define BROKEN_VIEW_MS 5000

static int
allow_folder(struct spool *spool, struct sandbox *sandbox,
    enum spool_folder folder, unsigned access)
{
	int fd = layout_folder(spool, folder);

	if (fd < 0)
		return fd;
	sandbox_allow(sandbox, fd, access);
	return 0;
}

/* Allow a file of the spool, if it exists. */
static void
allow_file(struct spool *spool, struct sandbox *sandbox, const char *name,
    unsigned access)
{
	int fd = openat(layout_folder(spool, FOLDER_ROOT), name,
	    O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		return;
	sandbox_allow(sandbox, fd, access);
	close(fd);
}

/* Allow the file that is read after each flush. */
static void
allow_flush(struct spool *spool, struct sandbox *sandbox)
{
	const char *path =
	    filesystem_facts_path(layout_folder(spool, FOLDER_ROOT));

	if (path != NULL)
		sandbox_allow_path(sandbox, path, SANDBOX_READ);
}

int
sandbox_allow_session(struct spool *spool, struct sandbox *sandbox)
{
	int today_fd, r;

	if ((r = key_load(spool)) < 0 ||
	    (r = today_fd = layout_day_folder(spool, clock_real_ms())) < 0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_NEW,
		 SANDBOX_MAKE | SANDBOX_REMOVE)) < 0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_SCRATCH,
		 SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE)) < 0)
		return r;
	layout_keep_day(spool);
	sandbox_allow(sandbox, today_fd, SANDBOX_MAKE | SANDBOX_REMOVE);
	allow_flush(spool, sandbox);
	return 0;
}

static int
close_if_open(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Allow the files that all programs share; make them if they are missing.
 * Return 0, or a negative errno if one cannot be made. */
static int
allow_shared_files(struct spool *spool, struct sandbox *sandbox)
{
	int key = key_load(spool);
	int counters = close_if_open(spool_open_counters(spool));
	int sessions = close_if_open(spool_open_sessions(spool));

	allow_file(spool, sandbox, NAME_KEY, SANDBOX_READ);
	allow_file(spool, sandbox, NAME_COUNTERS, SANDBOX_READ | SANDBOX_WRITE);
	allow_file(spool, sandbox, NAME_SESSIONS, SANDBOX_READ | SANDBOX_WRITE);
	allow_file(spool, sandbox, NAME_ABLE, SANDBOX_WRITE);
	return key < 0 ? key : counters < 0 ? counters : sessions;
}

int
sandbox_allow_listener(struct spool *spool, struct sandbox *sandbox)
{
	int files = allow_shared_files(spool, sandbox), r;

	if ((r = allow_folder(spool, sandbox, FOLDER_ROOT,
		 SANDBOX_LIST | SANDBOX_MAKE | SANDBOX_MAKE_FOLDERS |
		     SANDBOX_REMOVE)) < 0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_SCRATCH, SANDBOX_WRITE)) <
		0)
		return r;
	allow_flush(spool, sandbox);
	return files;
}

/* Allow the folder of notices. Mail goes out without notices, and without the
 * key. */
static void
allow_notices(struct spool *spool, struct sandbox *sandbox)
{
	int today_fd;

	if (key_load(spool) < 0 ||
	    (today_fd = layout_day_folder(spool, clock_real_ms())) < 0)
		return;
	layout_keep_day(spool);
	sandbox_allow(sandbox, today_fd, SANDBOX_MAKE | SANDBOX_REMOVE);
}

int
sandbox_allow_delivery(struct spool *spool, struct sandbox *sandbox)
{
	const unsigned notes = SANDBOX_READ | SANDBOX_WRITE | SANDBOX_LIST |
	    SANDBOX_MAKE | SANDBOX_REMOVE;
	int r;

	allow_notices(spool, sandbox);
	if ((r = allow_folder(spool, sandbox, FOLDER_ROOT,
		 SANDBOX_LIST | SANDBOX_MAKE_FOLDERS)) < 0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_QUEUE, SANDBOX_ALL)) < 0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_SCRATCH, SANDBOX_ALL)) <
		0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_POLICIES, notes)) < 0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_UNREACHABLE, notes)) < 0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_FAULTS,
		 SANDBOX_LIST | SANDBOX_REMOVE)) < 0)
		return r;
	allow_flush(spool, sandbox);
	return 0;
}

int
sandbox_allow_health(struct spool *spool, struct sandbox *sandbox)
{
	int files = allow_shared_files(spool, sandbox), r;

	if ((r = allow_folder(spool, sandbox, FOLDER_ROOT,
		 SANDBOX_LIST | SANDBOX_MAKE_FOLDERS)) < 0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_SCRATCH,
		 SANDBOX_WRITE | SANDBOX_MAKE | SANDBOX_REMOVE)) < 0 ||
	    (r = allow_folder(spool, sandbox, FOLDER_FAULTS, SANDBOX_READ)) < 0)
		return r;
	return files;
}

struct sandbox_view
sandbox_open_view(const char *path, struct sandbox *sandbox,
    int (*allow)(struct spool *spool, struct sandbox *sandbox))
{
	struct sandbox_view view = { .path = path };
	struct spool *spool = NULL;
	const char *lacking;

	view.is_whole = spool_open(path, &spool) == 0 &&
	    probe_check(spool, &lacking) == 0 && allow(spool, sandbox) == 0;
	view.identity = spool_get_pathstate(path);
	view.until_mono_ms = clock_mono_ms() + BROKEN_VIEW_MS;
	spool_close(spool);
	return view;
}

bool
sandbox_is_outdated(const struct sandbox_view *view)
{
	return spool_get_pathstate(view->path) != view->identity ||
	    (!view->is_whole && clock_mono_ms() > view->until_mono_ms);
}
