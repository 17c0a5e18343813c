/* SPDX-License-Identifier: ISC */

/*
 * break.c - preloaded: break the durability of a program.
 *
 * For tests of the test: a power cut must reveal the fault that is injected
 * into a correct program. BREAK chooses the fault:
 *
 *	unflushed		nothing is flushed
 *	unflushed-folders	folders are not flushed
 *	early-reply		replies are sent before the flushes
 *	late-names		messages get their names after the flushes
 *	late-day		a day's folder gets its name after the flushes
 *	garbled			a child process reads a wrong octet
 *
 * If MARKS names a file, "flushing" and "flushed" are written there before and
 * after each flush.
 */

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/btrfs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LATE_MAX 2000
#define LATE_DAY "late-"
#define ID_LENGTH 24 /* shorter names are not messages */
#define EARLY_NSEC (30 * 1000 * 1000)

/* The function that our wrapper replaces. */
#define NEXT(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

/* A link that was put off. */
struct late_name {
	int fd;
	int folder_fd;
	char name[NAME_MAX + 1];
};

static struct late_name late_names[LATE_MAX];
static size_t late_name_count;
static int late_flushes[LATE_MAX];
static size_t late_flush_count;
static struct late_name late_day;
static bool has_flushed; /* since that day's folder was made */
static pid_t first_pid;
static int marks_fd = -1;

__attribute__((constructor)) static void
prepare(void)
{
	const char *marks = getenv("MARKS");

	first_pid = getpid();
	if (marks != NULL)
		marks_fd = open(marks, O_WRONLY | O_CLOEXEC);
}

static void
mark(const char *word)
{
	int saved_errno = errno;

	if (marks_fd != -1)
		(void)!write(marks_fd, word, strlen(word));
	errno = saved_errno;
}

static bool
is_broken(const char *how)
{
	const char *wanted = getenv("BREAK");

	return wanted != NULL && strcmp(wanted, how) == 0;
}

static bool
is_folder(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool
is_day(const char *name)
{
	return strlen(name) == strlen("2026-11-22") && name[4] == '-' &&
	    isdigit((unsigned char)name[0]);
}

static void
format_late_day(const char *name, char ret_name[NAME_MAX + 1])
{
	(void)snprintf(ret_name, NAME_MAX + 1, LATE_DAY "%.10s", name);
}

/* ---- operations that were put off ---------------------------------------- */

static void
make_late_names(void)
{
	for (size_t i = 0; i < late_name_count; i++) {
		struct late_name *late = &late_names[i];

		(void)NEXT(linkat)(late->fd, "", late->folder_fd, late->name,
		    AT_EMPTY_PATH);
		close(late->fd);
		close(late->folder_fd);
	}
	late_name_count = 0;
}

static void
make_late_day(void)
{
	char name[NAME_MAX + 1];

	if (*late_day.name == '\0' || !has_flushed)
		return;
	format_late_day(late_day.name, name);
	(void)renameat(late_day.folder_fd, name, late_day.folder_fd,
	    late_day.name);
	close(late_day.folder_fd);
	*late_day.name = '\0';
}

static void
make_late_flushes(void)
{
	static const struct timespec wait = { .tv_nsec = EARLY_NSEC };

	if (late_flush_count == 0)
		return;
	nanosleep(&wait, NULL);
	for (size_t i = 0; i < late_flush_count; i++) {
		(void)NEXT(fsync)(late_flushes[i]);
		close(late_flushes[i]);
	}
	late_flush_count = 0;
}

/* ---- wrapped functions --------------------------------------------------- */

int
fsync(int fd)
{
	int r;

	has_flushed = true;
	if (is_broken("unflushed") ||
	    (is_broken("unflushed-folders") && is_folder(fd)))
		return 0;
	if (is_broken("early-reply") && late_flush_count < LATE_MAX) {
		late_flushes[late_flush_count++] =
		    fcntl(fd, F_DUPFD_CLOEXEC, 0);
		return 0;
	}
	mark("flushing");
	r = NEXT(fsync)(fd);
	mark("flushed");
	return r;
}

int
ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *argument;
	bool is_flush = request == BTRFS_IOC_WAIT_SYNC;
	int r;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (is_broken("unflushed") &&
	    (request == BTRFS_IOC_START_SYNC || is_flush))
		return 0;
	if (is_flush)
		mark("flushing");
	r = NEXT(ioctl)(fd, request, argument);
	if (is_flush)
		mark("flushed");
	return r;
}

/* The sandbox would forbid what these wrappers do: pretend that the kernel has
 * no Landlock and seccomp. */
long
syscall(long number, ...)
{
	va_list args;
	long a[6];

	if (getenv("BREAK") != NULL &&
	    (number == SYS_landlock_create_ruleset || number == SYS_seccomp)) {
		errno = ENOSYS;
		return -1;
	}
	va_start(args, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

ssize_t
send(int fd, const void *data, size_t size_bytes, int flags)
{
	ssize_t n;

	make_late_names();
	make_late_day();
	n = NEXT(send)(fd, data, size_bytes, flags);
	make_late_flushes();
	return n;
}

int
linkat(int from_fd, const char *from, int folder_fd, const char *name,
    int flags)
{
	struct late_name *late = &late_names[late_name_count];

	if (!is_broken("late-names") || (flags & AT_EMPTY_PATH) == 0 ||
	    strlen(name) < ID_LENGTH || late_name_count == LATE_MAX)
		return NEXT(linkat)(from_fd, from, folder_fd, name, flags);
	late->fd = fcntl(from_fd, F_DUPFD_CLOEXEC, 0);
	late->folder_fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
	(void)snprintf(late->name, sizeof(late->name), "%s", name);
	late_name_count++;
	return 0;
}

int
mkdirat(int folder_fd, const char *name, mode_t mode)
{
	char late_name[NAME_MAX + 1];

	if (!is_broken("late-day") || !is_day(name))
		return NEXT(mkdirat)(folder_fd, name, mode);
	(void)snprintf(late_day.name, sizeof(late_day.name), "%s", name);
	late_day.folder_fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 0);
	has_flushed = false;
	format_late_day(name, late_name);
	return NEXT(mkdirat)(folder_fd, late_name, mode);
}

/* Open a day's folder that is still to be renamed by its present name. */
int
openat(int folder_fd, const char *name, int flags, ...)
{
	char late_name[NAME_MAX + 1];
	mode_t mode = 0;

	if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	if (is_day(name) && strcmp(name, late_day.name) == 0) {
		format_late_day(name, late_name);
		name = late_name;
	}
	return NEXT(openat)(folder_fd, name, flags, mode);
}

ssize_t
pread(int fd, void *ret_data, size_t size_bytes, off_t offset)
{
	ssize_t n = NEXT(pread)(fd, ret_data, size_bytes, offset);

	if (is_broken("garbled") && n > 0 && getpid() != first_pid)
		((char *)ret_data)[n / 2] ^= 1;
	return n;
}
