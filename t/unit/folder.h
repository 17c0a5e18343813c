/* SPDX-License-Identifier: ISC */

#ifndef FOLDER_H
#define FOLDER_H

/*
 * A temporary folder for a unit test, and access to its files.
 */

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <unistd.h>

#include "t/unit/tap.h"

static char folder_path[PATH_MAX];

static inline int
folder_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void
folder_remove(void)
{
	(void)nftw(folder_path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Make the folder; folder_path names it. The caller removes it. */
static inline void
folder_make(void)
{
	const char *parent = getenv("TMPDIR");

	(void)snprintf(folder_path, sizeof(folder_path), "%s/smtpserver.XXXXXX",
	    parent != NULL && *parent != '\0' ? parent : "/tmp");
	need(mkdtemp(folder_path) != NULL);
}

/* Return the path of a file in the folder; valid for the next three calls. */
__attribute__((format(printf, 1, 2))) static inline const char *
folder_at(const char *format, ...)
{
	static char paths[4][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 4], name[NAME_MAX * 2];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(name, sizeof(name), format, args);
	va_end(args);
	need(snprintf(path, PATH_MAX, "%s/%s", folder_path, name) < PATH_MAX);
	return path;
}

/* Return the number of names in a folder below it, or a negative errno. */
static inline int
folder_count(const char *name)
{
	DIR *folder = opendir(folder_at("%s", name));
	struct dirent *dirent;
	int count = 0;

	if (folder == NULL)
		return -errno;
	while ((dirent = readdir(folder)) != NULL)
		count += strcmp(dirent->d_name, ".") != 0 &&
		    strcmp(dirent->d_name, "..") != 0;
	closedir(folder);
	return count;
}

static inline bool
folder_has(const char *name)
{
	struct stat st;

	return lstat(folder_at("%s", name), &st) == 0;
}

static int (*folder_visit)(const char *path, const struct stat *st);
static int folder_visited;

static inline int
folder_visit_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)type;
	if (ftw->level > 0)
		folder_visited += folder_visit(path, st);
	return 0;
}

/* Return the sum of a function's results for every file in the folder. */
static inline int
folder_sum(int (*visit)(const char *path, const struct stat *st))
{
	folder_visit = visit;
	folder_visited = 0;
	need(nftw(folder_path, folder_visit_one, 16, FTW_PHYS) == 0);
	return folder_visited;
}

static inline void
folder_write(const char *name, const void *data, size_t size_bytes)
{
	int fd = open(folder_at("%s", name),
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	need(fd >= 0 && write(fd, data, size_bytes) == (ssize_t)size_bytes);
	close(fd);
}

/* Return a whole file, with a NUL after it; the caller frees it. */
static inline char *
folder_read(const char *name, size_t *ret_size)
{
	int fd = open(folder_at("%s", name), O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;

	need(fd >= 0 && fstat(fd, &st) == 0);
	need((text = malloc((size_t)st.st_size + 1)) != NULL);
	need(read(fd, text, (size_t)st.st_size) == st.st_size);
	close(fd);
	text[st.st_size] = '\0';
	*ret_size = (size_t)st.st_size;
	return text;
}

#endif
