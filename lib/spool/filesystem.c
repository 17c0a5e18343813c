/* SPDX-License-Identifier: ISC */

/*
 * filesystem.c - properties of file systems, by their types, as they were
 * measured. If the kernel does not tell, the answer is the cautious one.
 */

#include "config.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/spool/filesystem.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define EXT4_FACTS "/proc/fs/ext4"
#define TEXT_SIZE 4096
#define UNKNOWN 0

static unsigned long
get_type(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 ? (unsigned long)fs.f_type : UNKNOWN;
}

/* Get the name of a file's block device, with a slash before it. */
static bool
get_device(int fd, char ret_name[NAME_MAX + 2])
{
	char link[64], target[PATH_MAX];
	const char *slash;
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return false;
	(void)snprintf(link, sizeof(link), "/sys/dev/block/%u:%u",
	    major(st.st_dev), minor(st.st_dev));
	if ((n = readlink(link, target, sizeof(target) - 1)) == -1)
		return false;
	target[n] = '\0';
	slash = strrchr(target, '/');
	return slash != NULL &&
	    strlcpy(ret_name, slash, NAME_MAX + 2) < NAME_MAX + 2;
}

/* Open /proc/fs/ext4/<device>/<name>. */
static int
open_ext4(const char *device, const char *name)
{
	char path[NAME_MAX + 64];

	(void)snprintf(path, sizeof(path), EXT4_FACTS "%s/%s", device, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool
read_text(int fd, char ret_text[TEXT_SIZE])
{
	ssize_t n = pread(fd, ret_text, TEXT_SIZE - 1, 0);

	if (n <= 0)
		return false;
	ret_text[n] = '\0';
	return true;
}

/* Without a journal a flush covers the file and at most one folder. Only a file
 * system with a journal has a mode for data. */
static bool
has_ext4_journal(const char *device)
{
	char text[TEXT_SIZE];
	int fd = open_ext4(device, "options");
	bool has_journal;

	if (fd == -1)
		return false;
	has_journal = read_text(fd, text) && strstr(text, "data=") != NULL;
	close(fd);
	return has_journal;
}

static int
open_ext4_counters(int fd)
{
	char device[NAME_MAX + 2];

	return get_device(fd, device) && has_ext4_journal(device)
	    ? open_ext4(device, "fc_info")
	    : -1;
}

/* With fast_commit a flush covers the file alone. The mount options do not show
 * it, but the kernel counts attempts at a fast commit. As long as there were
 * none, the flush that was just made was a full commit. */
static bool
has_fast_commits(int counters_fd)
{
	unsigned long commits, ineligible;
	char text[TEXT_SIZE];

	return !read_text(counters_fd, text) ||
	    /* NOLINTNEXTLINE(cert-err34-c): the kernel\'s own numbers */
	    sscanf(text, "fc stats: %lu commits %lu ineligible", &commits,
		&ineligible) != 2 ||
	    commits + ineligible > 0;
}

void
filesystem_open_flush(struct filesystem_flush *flush, int fd)
{
	*flush = (struct filesystem_flush){ .counters_fd = -1 };
	switch (get_type(fd)) {
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
		flush->is_enough = true;
		break;
	case EXT4_SUPER_MAGIC:
		flush->counters_fd = open_ext4_counters(fd);
		break;
	default:
		break;
	}
}

void
filesystem_close_flush(struct filesystem_flush *flush)
{
	if (flush->counters_fd >= 0)
		close(flush->counters_fd);
	flush->counters_fd = -1;
}

bool
filesystem_is_flush_enough(const struct filesystem_flush *flush)
{
	return flush->is_enough ||
	    (flush->counters_fd >= 0 && !has_fast_commits(flush->counters_fd));
}

/* Commit the transaction without the data of other files, which syncfs(2) would
 * write too. */
int
filesystem_commit(int fd)
{
	__u64 transaction;

	if (get_type(fd) != BTRFS_SUPER_MAGIC)
		return -EOPNOTSUPP;
	if (ioctl(fd, BTRFS_IOC_START_SYNC, &transaction) == -1 ||
	    ioctl(fd, BTRFS_IOC_WAIT_SYNC, &transaction) == -1)
		return -errno;
	return 0;
}

const char *
filesystem_facts_path(int fd)
{
	return get_type(fd) == EXT4_SUPER_MAGIC ? EXT4_FACTS : NULL;
}

bool
filesystem_has_stale_names(int fd)
{
	switch (get_type(fd)) {
	case UNKNOWN:
	case AFS_FS_MAGIC:
	case CEPH_SUPER_MAGIC:
	case FUSE_SUPER_MAGIC:
	case NFS_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case V9FS_MAGIC:
		return true;
	default:
		return false;
	}
}

bool
filesystem_is_known_to_be_able(int fd)
{
	switch (get_type(fd)) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}
