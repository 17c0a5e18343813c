/* SPDX-License-Identifier: ISC */

/*
 * lacking.c - a FUSE file system that lacks one ability.
 *
 *	lacking nothing|flock|exclusion|link|rename FOLDER MOUNTPOINT
 *
 * Passes all operations on to the folder, except that the missing one fails
 * with ENOTSUP; without exclusion every lock is granted. Runs in the foreground
 * until it is unmounted. For tests of file systems that a spool must refuse.
 */

#define FUSE_USE_VERSION 31

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *lacks;
static int root_fd;

/* The path below the folder. */
static const char *
below(const char *path)
{
	return path[1] == '\0' ? "." : path + 1;
}

static int
result(int r)
{
	return r == -1 ? -errno : 0;
}

static void *
do_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	config->use_ino = 1; /* all links to a file have one inode number */
	config->hard_remove = 1; /* do not turn unlink(2) into a rename */
	config->nullpath_ok = 1;
	return NULL;
}

static int
do_getattr(const char *path, struct stat *st, struct fuse_file_info *info)
{
	if (info != NULL)
		return result(fstat((int)info->fh, st));
	return result(fstatat(root_fd, below(path), st, AT_SYMLINK_NOFOLLOW));
}

static int
do_readdir(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
    struct fuse_file_info *info, enum fuse_readdir_flags flags)
{
	int fd = openat((int)info->fh, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *dirent;
	DIR *folder;

	(void)path;
	(void)offset;
	(void)flags;
	if (fd == -1)
		return -errno;
	if ((folder = fdopendir(fd)) == NULL) {
		close(fd);
		return -ENOMEM;
	}
	while ((dirent = readdir(folder)) != NULL)
		if (fill(buffer, dirent->d_name, NULL, 0, 0) != 0)
			break;
	closedir(folder);
	return 0;
}

static int
do_open(const char *path, struct fuse_file_info *info)
{
	int fd =
	    openat(root_fd, below(path), info->flags | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		return -errno;
	info->fh = (uint64_t)fd;
	return 0;
}

static int
do_create(const char *path, mode_t mode, struct fuse_file_info *info)
{
	int fd = openat(root_fd, below(path), info->flags | O_CREAT, mode);

	if (fd == -1)
		return -errno;
	info->fh = (uint64_t)fd;
	return 0;
}

static int
do_read(const char *path, char *data, size_t size, off_t offset,
    struct fuse_file_info *info)
{
	ssize_t n = pread((int)info->fh, data, size, offset);

	(void)path;
	return n == -1 ? -errno : (int)n;
}

static int
do_write(const char *path, const char *data, size_t size, off_t offset,
    struct fuse_file_info *info)
{
	ssize_t n = pwrite((int)info->fh, data, size, offset);

	(void)path;
	return n == -1 ? -errno : (int)n;
}

static int
do_release(const char *path, struct fuse_file_info *info)
{
	(void)path;
	close((int)info->fh);
	return 0;
}

static int
do_fsync(const char *path, int is_data, struct fuse_file_info *info)
{
	(void)path;
	(void)is_data;
	return result(fsync((int)info->fh));
}

static int
do_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
	int fd, r;

	if (info != NULL)
		return result(ftruncate((int)info->fh, size));
	if ((fd = openat(root_fd, below(path), O_WRONLY | O_CLOEXEC)) == -1)
		return -errno;
	r = result(ftruncate(fd, size));
	close(fd);
	return r;
}

static int
do_flock(const char *path, struct fuse_file_info *info, int operation)
{
	(void)path;
	if (strcmp(lacks, "exclusion") == 0)
		return 0;
	if (strcmp(lacks, "flock") == 0)
		return -EOPNOTSUPP;
	return result(flock((int)info->fh, operation));
}

static int
do_link(const char *from, const char *to)
{
	if (strcmp(lacks, "link") == 0)
		return -EOPNOTSUPP;
	return result(linkat(root_fd, below(from), root_fd, below(to), 0));
}

static int
do_rename(const char *from, const char *to, unsigned flags)
{
	if (strcmp(lacks, "rename") == 0)
		return -EOPNOTSUPP;
	return result(
	    renameat2(root_fd, below(from), root_fd, below(to), flags));
}

static int
do_unlink(const char *path)
{
	return result(unlinkat(root_fd, below(path), 0));
}

static int
do_mkdir(const char *path, mode_t mode)
{
	return result(mkdirat(root_fd, below(path), mode));
}

static int
do_rmdir(const char *path)
{
	return result(unlinkat(root_fd, below(path), AT_REMOVEDIR));
}

static int
do_utimens(const char *path, const struct timespec times[2],
    struct fuse_file_info *info)
{
	(void)info;
	return result(
	    utimensat(root_fd, below(path), times, AT_SYMLINK_NOFOLLOW));
}

static int
do_chmod(const char *path, mode_t mode, struct fuse_file_info *info)
{
	(void)info;
	return result(fchmodat(root_fd, below(path), mode, 0));
}

static int
do_statfs(const char *path, struct statvfs *fs)
{
	(void)path;
	return result(fstatvfs(root_fd, fs));
}

static const struct fuse_operations operations = {
	.init = do_init,
	.getattr = do_getattr,
	.readdir = do_readdir,
	.opendir = do_open,
	.releasedir = do_release,
	.open = do_open,
	.create = do_create,
	.read = do_read,
	.write = do_write,
	.release = do_release,
	.fsync = do_fsync,
	.truncate = do_truncate,
	.flock = do_flock,
	.link = do_link,
	.rename = do_rename,
	.unlink = do_unlink,
	.mkdir = do_mkdir,
	.rmdir = do_rmdir,
	.utimens = do_utimens,
	.chmod = do_chmod,
	.statfs = do_statfs,
};

int
main(int argc, char *argv[])
{
	char program[] = "lacking", foreground[] = "-f";

	if (argc != 4)
		errx(2, "usage: lacking ABILITY FOLDER MOUNTPOINT");
	lacks = argv[1];
	root_fd = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd == -1)
		err(1, "%s", argv[2]);
	umask(0);
	return fuse_main(3, ((char *[]){ program, foreground, argv[3], NULL }),
	    &operations, NULL);
}
