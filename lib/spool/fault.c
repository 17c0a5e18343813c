/* SPDX-License-Identifier: ISC */

/*
 * fault.c - the reason why a program cannot work: faults/<program>.
 *
 * smtp-health cannot see another program's settings, files and credentials, so
 * the program writes the reason to a file. The file replaces an earlier one
 * atomically and is not flushed: the next failed start writes it again.
 */

#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/spool/cache.h"
#include "lib/spool/fault.h"
#include "lib/spool/layout.h"
#include "lib/spool/names.h"
#include "lib/text.h"

static const char *const names[] = {
	[FAULT_SESSION] = NAME_FAULT_SESSION,
	[FAULT_DELIVER] = NAME_FAULT_DELIVER,
};

static int
find_place(struct spool *spool, enum fault_program program,
    struct cache_place *ret_place)
{
	ret_place->folder_fd = layout_folder(spool, FOLDER_FAULTS);
	(void)strlcpy(ret_place->name, names[program], sizeof(ret_place->name));
	return ret_place->folder_fd < 0 ? ret_place->folder_fd : 0;
}

int
fault_leave(const char *spool_path, enum fault_program program,
    const char *text)
{
	struct spool *spool;
	struct cache_place place;
	char line[FAULT_SIZE];
	int r;

	if (!spool_exists(spool_path))
		return 0;
	if ((r = spool_open(spool_path, &spool)) < 0)
		return r;
	(void)strlcpy(line, text, sizeof(line) - 1);
	text_make_printable(line);
	(void)strlcat(line, "\n", sizeof(line));
	if ((r = find_place(spool, program, &place)) == 0)
		r = cache_write(&place, line, strlen(line));
	spool_close(spool);
	return r;
}

int
fault_clear(struct spool *spool, enum fault_program program)
{
	char path[sizeof(NAME_FAULTS) + TOKEN_SIZE] = NAME_FAULTS "/";

	/* One call at each start, without opening the folder. */
	(void)strlcat(path, names[program], sizeof(path));
	if (unlinkat(layout_folder(spool, FOLDER_ROOT), path, 0) == -1 &&
	    errno != ENOENT)
		return -errno;
	return 0;
}

int
fault_read(struct spool *spool, enum fault_program program,
    char ret_text[FAULT_SIZE], int64_t *ret_real_ms)
{
	struct cache_place place;
	struct stat st;
	ssize_t n;
	int r;

	if ((r = find_place(spool, program, &place)) < 0)
		return r;
	if (fstatat(place.folder_fd, place.name, &st, AT_SYMLINK_NOFOLLOW) ==
	    -1)
		return -errno;
	if ((n = cache_read(&place, ret_text, FAULT_SIZE - 1)) < 0)
		return (int)n;
	ret_text[n] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
	text_make_printable(ret_text);
	*ret_real_ms = (int64_t)st.st_mtime * 1000;
	return 0;
}
