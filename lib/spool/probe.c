/* SPDX-License-Identifier: ISC */

/*
 * probe.c - find out whether a file system can hold a spool.
 *
 * Tries the calls that the spool depends on with its own files in scratch/, and
 * checks their effects: a network file system may report success for a call
 * that it did not carry out.
 */

#include "config.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/spool/probe.h"
#include "lib/spool/filesystem.h"
#include "lib/spool/layout.h"
#include "lib/spool/names.h"

#define ABLE_SEC 3600 /* until the next probe */

/* A second lock must be refused while the first is held. */
static int
try_flock(int fd, int other_fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == -1)
		return -errno;
	if (flock(other_fd, LOCK_EX | LOCK_NB) == 0)
		return -EOPNOTSUPP;
	return errno == EWOULDBLOCK ? 0 : -errno;
}

/* A second name leads to the same file; a name that exists is not replaced. */
static int
try_link(int folder_fd, const char *name, const char *second)
{
	struct stat st, st_second;

	if (linkat(folder_fd, name, folder_fd, second, 0) == -1)
		return -errno;
	if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    fstatat(folder_fd, second, &st_second, AT_SYMLINK_NOFOLLOW) == -1)
		return -errno;
	if (st.st_ino != st_second.st_ino)
		return -EOPNOTSUPP;
	if (linkat(folder_fd, name, folder_fd, second, 0) == 0)
		return -EOPNOTSUPP;
	return errno == EEXIST ? 0 : -errno;
}

static int
try_rename(int folder_fd, const char *from, const char *to)
{
	if (renameat(folder_fd, from, folder_fd, to) == -1)
		return -errno;
	if (faccessat(folder_fd, from, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return -EOPNOTSUPP;
	return errno == ENOENT ? 0 : -errno;
}

static int
try_abilities(int folder_fd, const char *name, const char **ret_lacking)
{
	char second[ID_SIZE + 2], third[ID_SIZE + 2];
	int fd, other_fd, r;

	(void)snprintf(second, sizeof(second), "%s.2", name);
	(void)snprintf(third, sizeof(third), "%s.3", name);
	*ret_lacking = "files of our own";
	fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return -errno;
	/* NFS locks files that are open for writing only. */
	other_fd = openat(folder_fd, name, O_WRONLY | O_CLOEXEC);
	r = other_fd == -1 ? -errno : 0;
	if (r == 0) {
		*ret_lacking = "exclusive locks: flock(2)";
		r = try_flock(fd, other_fd);
		close(other_fd);
	}
	close(fd);
	if (r == 0) {
		*ret_lacking = "hard links: link(2)";
		r = try_link(folder_fd, name, second);
	}
	if (r == 0) {
		*ret_lacking = "moves of files: rename(2)";
		r = try_rename(folder_fd, second, third);
	}
	(void)unlinkat(folder_fd, third, 0);
	(void)unlinkat(folder_fd, second, 0);
	(void)unlinkat(folder_fd, name, 0);
	return r;
}

/* Whether an error means that the file system never supports a call. */
static bool
is_inability(int error)
{
	switch (-error) {
	case EOPNOTSUPP:
	case ENOSYS:
	case EPERM:
	case EINVAL:
	case ENOLCK:
	case EMLINK:
		return true;
	default:
		return false;
	}
}

static bool
was_able_lately(int root_fd)
{
	struct stat st;
	time_t now = time(NULL);

	return fstatat(root_fd, NAME_ABLE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime > now - ABLE_SEC && st.st_mtime <= now;
}

static void
note_ability(int root_fd)
{
	int fd = openat(root_fd, NAME_ABLE,
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd == -1)
		return;
	(void)futimens(fd, NULL);
	close(fd);
}

int
probe_check(struct spool *spool, const char **ret_lacking)
{
	int root_fd = layout_folder(spool, FOLDER_ROOT), folder_fd, r;
	char name[ID_SIZE];

	if (filesystem_is_known_to_be_able(root_fd) || was_able_lately(root_fd))
		return 0;
	if ((folder_fd = layout_folder(spool, FOLDER_SCRATCH)) < 0)
		return folder_fd;
	if ((r = id_make(name)) < 0)
		return r;
	r = try_abilities(folder_fd, name, ret_lacking);
	if (r == 0)
		note_ability(root_fd);
	return r < 0 && is_inability(r) ? -EOPNOTSUPP : r;
}
