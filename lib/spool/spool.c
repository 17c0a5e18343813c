/* SPDX-License-Identifier: ISC */

/*
 * spool.c - the folders of the spool, and its key.
 *
 *	key			made once: what tokens are keyed with
 *	counters, sessions	what smtp-health shows
 *	scratch/		where files cannot be made without a name
 *	policies/		TLS policies of domains (note.c)
 *	unreached/		destinations that cannot be reached (unreached.c)
 *	2026-11-22/		mail stored on that day
 *	queue/new, retry, attempts, failed, damaged
 *
 * Folders are opened when they are first needed. DESIGN has the table of all
 * states that a crash can leave and what is made of each.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/pathstate.h"
#include "lib/spool/filesystem.h"
#include "lib/spool/layout.h"
#include "lib/spool/names.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

struct spool {
	int folders[FOLDERS];
	int day_fd; /* the folder of one day, once it was needed */
	int64_t day; /* which: counted from 1970 */
	bool is_day_kept; /* it serves for any day */
	bool has_flush;
	struct filesystem_flush flush;
	bool has_key;
	struct token_key key;
	char address[ADDRESS_SIZE]; /* who the last token was made for, or "" */
	char token[TOKEN_SIZE];
};

static const char *const folder_names[FOLDERS] = {
	[FOLDER_ROOT] = ".",
	[FOLDER_QUEUE] = NAME_QUEUE,
	[FOLDER_NEW] = NAME_NEW,
	[FOLDER_RETRY] = NAME_RETRY,
	[FOLDER_ATTEMPTS] = NAME_ATTEMPTS,
	[FOLDER_FAILED] = NAME_FAILED,
	[FOLDER_DAMAGED] = NAME_DAMAGED,
	[FOLDER_SCRATCH] = NAME_SCRATCH,
	[FOLDER_POLICIES] = NAME_POLICIES,
	[FOLDER_UNREACHABLE] = NAME_UNREACHED,
};

static int
open_folder(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return -errno;
	return fd;
}

int
layout_open_folder(int parent_fd, const char *name)
{
	int fd = open_folder(parent_fd, name);

	if (fd != -ENOENT)
		return fd;
	if (mkdirat(parent_fd, name, 0700) == -1 && errno != EEXIST)
		return -errno;
	return open_folder(parent_fd, name);
}

/* The spool itself, with its parents if they are missing. */
static int
open_root(const char *path)
{
	char partial[PATH_MAX];
	int fd = open_folder(AT_FDCWD, path);

	if (fd != -ENOENT)
		return fd;
	if (strlcpy(partial, path, sizeof(partial)) >= sizeof(partial))
		return -ENAMETOOLONG;
	for (size_t n = strlen(partial); n > 1 && partial[n - 1] == '/'; n--)
		partial[n - 1] = '\0'; /* not the end of a parent */
	for (char *slash = strchr(partial + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(partial, 0755) == -1 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return layout_open_folder(AT_FDCWD, partial);
}

/* Make the folders that are missing. */
static int
make_folders(int root_fd)
{
	int fd;

	for (int i = FOLDER_NEW; i < FOLDERS; i++) {
		if ((fd = layout_open_folder(root_fd, folder_names[i])) < 0)
			return fd;
		close(fd);
	}
	return 0;
}

/* The same, durably. */
static int
make_layout(int root_fd)
{
	int queue_fd = layout_open_folder(root_fd, NAME_QUEUE), r;

	if (queue_fd < 0)
		return queue_fd;
	r = make_folders(root_fd);
	if (r == 0 && (fsync(queue_fd) == -1 || fsync(root_fd) == -1))
		r = -errno;
	close(queue_fd);
	return r;
}

int
layout_folder(struct spool *spool, enum spool_folder folder)
{
	int *fd = &spool->folders[folder], root_fd, r;

	if (*fd >= 0)
		return *fd;
	root_fd = spool->folders[FOLDER_ROOT];
	*fd = open_folder(root_fd, folder_names[folder]);
	if (*fd != -ENOENT)
		return *fd;
	if ((r = make_layout(root_fd)) < 0)
		return r;
	return *fd = open_folder(root_fd, folder_names[folder]);
}

int
layout_day_folder(struct spool *spool, int64_t real_ms)
{
	int64_t day = real_ms / DAY_MS;
	char name[NAME_DAY_SIZE];

	if (spool->day_fd >= 0 && (spool->is_day_kept || spool->day == day))
		return spool->day_fd;
	layout_close_day(spool);
	name_format_day(real_ms, name);
	spool->day = day;
	return spool->day_fd =
		   layout_open_folder(spool->folders[FOLDER_ROOT], name);
}

void
layout_keep_day(struct spool *spool)
{
	spool->is_day_kept = true;
}

void
layout_close_day(struct spool *spool)
{
	if (spool->day_fd >= 0)
		close(spool->day_fd);
	spool->day_fd = -1;
}

int
layout_flush_names(struct spool *spool)
{
	if (fsync(spool->day_fd) == -1 ||
	    fsync(spool->folders[FOLDER_NEW]) == -1 ||
	    fsync(spool->folders[FOLDER_ROOT]) == -1)
		return -errno;
	return 0;
}

/* Whoever runs a program as root does not mean to leave files in the spool
 * that its owner cannot use: root becomes that owner. */
static int
become_owner(int root_fd)
{
	pid_t parent = getppid();
	int death_signal = 0;
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (fstat(root_fd, &st) == -1)
		return -errno;
	if (st.st_uid == 0)
		return 0;
	(void)prctl(PR_GET_PDEATHSIG, &death_signal);
	if (setgroups(0, NULL) == -1 ||
	    setresgid(st.st_gid, st.st_gid, st.st_gid) == -1 ||
	    setresuid(st.st_uid, st.st_uid, st.st_uid) == -1)
		return -errno;
	/* The kernel has forgotten that signal, and we may have missed it. */
	(void)prctl(PR_SET_PDEATHSIG, death_signal);
	if (death_signal != 0 && getppid() != parent)
		(void)raise(death_signal);
	return 0;
}

int
spool_open(const char *path, struct spool **ret_spool)
{
	struct spool *spool = malloc(sizeof(*spool));
	int r;

	if (spool == NULL)
		return -ENOMEM;
	*spool = (struct spool){ .day_fd = -1 };
	for (int i = 0; i < FOLDERS; i++)
		spool->folders[i] = -1;

	if ((r = spool->folders[FOLDER_ROOT] = open_root(path)) < 0 ||
	    (r = become_owner(r)) < 0 ||
	    (r = layout_folder(spool, FOLDER_NEW)) < 0) {
		spool_close(spool);
		return r;
	}
	*ret_spool = spool;
	return 0;
}

bool
spool_exists(const char *path)
{
	char key[PATH_MAX];

	return snprintf(key, sizeof(key), "%s/%s", path, NAME_KEY) <
	    (int)sizeof(key) &&
	    access(key, F_OK) == 0;
}

void
spool_close(struct spool *spool)
{
	if (spool == NULL)
		return;
	for (int i = 0; i < FOLDERS; i++)
		if (spool->folders[i] >= 0)
			close(spool->folders[i]);
	layout_close_day(spool);
	if (spool->has_flush)
		filesystem_close_flush(&spool->flush);
	explicit_bzero(&spool->key, sizeof(spool->key));
	free(spool);
}

int
layout_open_unnamed(struct spool *spool, const char *scratch_name,
    bool *ret_is_named)
{
	int folder_fd = layout_folder(spool, FOLDER_SCRATCH), fd;

	if (folder_fd < 0)
		return folder_fd;
	*ret_is_named = false;
	fd = openat(folder_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	/* What kernels say where the file system has no O_TMPFILE. */
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
		return -errno;

	*ret_is_named = true;
	fd = openat(folder_fd, scratch_name,
	    O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd == -1)
		return -errno;
	return fd;
}

/* A file that was born without a name gets its first ones by its descriptor:
 * directly where the kernel permits it, else by its entry in /proc. */
static int
link_descriptor(int fd, int folder_fd, const char *name)
{
	char path[sizeof("/proc/self/fd/2147483647")];

	if (linkat(fd, "", folder_fd, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT && errno != EPERM)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, path, folder_fd, name, AT_SYMLINK_FOLLOW) == 0)
		return 0;
	return -errno;
}

int
layout_link(struct spool *spool, int fd, const char *scratch_name,
    bool is_named, int folder_fd, const char *name)
{
	if (!is_named)
		return link_descriptor(fd, folder_fd, name);
	if (linkat(layout_folder(spool, FOLDER_SCRATCH), scratch_name,
		folder_fd, name, 0) == 0)
		return 0;
	return -errno;
}

int
layout_open_listing(struct spool *spool, enum spool_folder folder,
    DIR **ret_listing)
{
	int folder_fd = layout_folder(spool, folder), fd;

	if (folder_fd < 0)
		return folder_fd;
	if ((fd = open_folder(folder_fd, ".")) < 0)
		return fd;
	if ((*ret_listing = fdopendir(fd)) == NULL) {
		close(fd);
		return -ENOMEM;
	}
	return 0;
}

int
layout_keep(int from_fd, const char *name, int to_fd)
{
	char kept_name[NAME_MAX + 1], suffix[ID_SIZE];
	const char *slash = strrchr(name, '/');
	const char *last = slash != NULL ? slash + 1 : name;
	int r;

	if (to_fd < 0)
		return to_fd;
	(void)strlcpy(kept_name, last, sizeof(kept_name));
	if (faccessat(to_fd, last, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		if ((r = id_make(suffix)) < 0)
			return r;
		(void)snprintf(kept_name, sizeof(kept_name), "%.200s.%s", last,
		    suffix);
	}
	return renameat(from_fd, name, to_fd, kept_name) == 0 ? 0 : -errno;
}

bool
layout_is_flush_enough(struct spool *spool)
{
	if (!spool->has_flush)
		filesystem_open_flush(&spool->flush,
		    spool->folders[FOLDER_ROOT]);
	spool->has_flush = true;
	return filesystem_is_flush_enough(&spool->flush);
}

int
layout_commit(struct spool *spool)
{
	return filesystem_commit(spool->folders[FOLDER_ROOT]);
}

bool
layout_has_stale_names(struct spool *spool)
{
	return filesystem_has_stale_names(spool->folders[FOLDER_ROOT]);
}

ssize_t
layout_read(int fd, void *ret_data, size_t size_bytes, uint64_t offset)
{
	ssize_t n;

	do
		n = pread(fd, ret_data, size_bytes, (off_t)offset);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

ssize_t
layout_read_start(int fd, char *ret_data, size_t size_bytes)
{
	size_t used = 0;

	while (used < size_bytes) {
		ssize_t n =
		    layout_read(fd, ret_data + used, size_bytes - used, used);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

int
layout_write(int fd, const void *data, size_t size_bytes, int64_t offset)
{
	const char *p = data;

	while (size_bytes > 0) {
		ssize_t n = pwrite(fd, p, size_bytes, offset);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -errno;
		p += n;
		offset += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

/* Returns 0, -ENOENT if there is none yet, -EBADMSG if it has another size. */
static int
read_key(struct spool *spool)
{
	uint8_t key[TOKEN_KEY_SIZE + 1];
	ssize_t n;
	int fd =
	    openat(spool->folders[FOLDER_ROOT], NAME_KEY, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -errno;
	n = pread(fd, key, sizeof(key), 0);
	close(fd);
	if (n == -1)
		return -errno;
	if (n != TOKEN_KEY_SIZE)
		return -EBADMSG;
	token_set_key(&spool->key, key);
	explicit_bzero(key, sizeof(key));
	return 0;
}

/* The key gets its name when it is whole; who comes second reads the first's. */
static int
make_key(struct spool *spool)
{
	uint8_t key[TOKEN_KEY_SIZE];
	char scratch_name[ID_SIZE];
	bool is_named;
	int fd, root_fd = spool->folders[FOLDER_ROOT], r;

	if ((r = id_make(scratch_name)) < 0)
		return r;
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	fd = layout_open_unnamed(spool, scratch_name, &is_named);
	if (fd < 0)
		return fd;
	if ((r = layout_write(fd, key, sizeof(key), 0)) == 0) {
		r = layout_link(spool, fd, scratch_name, is_named, root_fd,
		    NAME_KEY);
		if (r == -EEXIST)
			r = 0;
		else if (r == 0 && (fsync(fd) == -1 || fsync(root_fd) == -1))
			r = -errno;
	}
	if (is_named)
		(void)unlinkat(layout_folder(spool, FOLDER_SCRATCH),
		    scratch_name, 0);
	close(fd);
	explicit_bzero(key, sizeof(key));
	return r;
}

int
layout_have_key(struct spool *spool)
{
	int r;

	if (spool->has_key)
		return 0;
	r = read_key(spool);
	if (r == -ENOENT && (r = make_key(spool)) == 0)
		r = read_key(spool);
	spool->has_key = r == 0;
	return r;
}

/* Whoever asks for a token hardly ever asks once. */
int
spool_token(struct spool *spool, const char *address,
    char ret_token[TOKEN_SIZE])
{
	int r;

	if (spool->address[0] == '\0' || strcmp(spool->address, address) != 0) {
		if ((r = layout_have_key(spool)) < 0)
			return r;
		token_make(&spool->key, address, spool->token);
		if (strlcpy(spool->address, address, sizeof(spool->address)) >=
		    sizeof(spool->address))
			spool->address[0] = '\0';
	}
	memcpy(ret_token, spool->token, TOKEN_SIZE);
	return 0;
}

int
spool_check_space(struct spool *spool, uint64_t size_bytes)
{
	struct statvfs fs;

	if (fstatvfs(spool->folders[FOLDER_ROOT], &fs) == -1)
		return -errno;
	if ((uint64_t)fs.f_bavail * fs.f_frsize <
	    size_bytes + SPOOL_RESERVE_BYTES)
		return -ENOSPC;
	/* btrfs counts no files: 0 of 0. */
	if (fs.f_files > 0 && fs.f_favail < SPOOL_RESERVE_FILES)
		return -ENOSPC;
	return 0;
}

int
spool_check_writable(struct spool *spool)
{
	char scratch_name[ID_SIZE];
	bool is_named;
	int fd, r;

	if ((r = id_make(scratch_name)) < 0)
		return r;
	fd = layout_open_unnamed(spool, scratch_name, &is_named);
	if (fd < 0)
		return fd;
	r = layout_write(fd, "", 1, 0);
	if (is_named)
		(void)unlinkat(layout_folder(spool, FOLDER_SCRATCH),
		    scratch_name, 0);
	close(fd);
	return r;
}

static uint64_t
identify_part(uint64_t identity, const char *path, const char *name)
{
	char full[PATH_MAX];

	(void)snprintf(full, sizeof(full), "%s/%s", path, name);
	return pathstate_add(identity, full);
}

uint64_t
spool_get_folders_pathstate(const char *path)
{
	static const enum spool_folder folders[] = { FOLDER_ROOT, FOLDER_QUEUE,
		FOLDER_NEW, FOLDER_SCRATCH };
	uint64_t identity = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		identity =
		    identify_part(identity, path, folder_names[folders[i]]);
	return identity;
}

uint64_t
spool_get_pathstate(const char *path)
{
	uint64_t identity = spool_get_folders_pathstate(path);

	identity = identify_part(identity, path, NAME_KEY);
	identity = identify_part(identity, path, NAME_COUNTERS);
	return identify_part(identity, path, NAME_SESSIONS);
}

static bool
is_removed(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_nlink == 0;
}

bool
spool_is_gone(struct spool *spool)
{
	return is_removed(spool->folders[FOLDER_ROOT]) ||
	    is_removed(spool->folders[FOLDER_NEW]) ||
	    is_removed(spool->folders[FOLDER_RETRY]) ||
	    is_removed(spool->folders[FOLDER_ATTEMPTS]);
}

static int
open_file(struct spool *spool, const char *name)
{
	int fd = openat(spool->folders[FOLDER_ROOT], name,
	    O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd == -1)
		return -errno;
	return fd;
}

int
spool_open_counters(struct spool *spool)
{
	return open_file(spool, NAME_COUNTERS);
}

int
spool_open_sessions(struct spool *spool)
{
	return open_file(spool, NAME_SESSIONS);
}
