/* SPDX-License-Identifier: ISC */

/*
 * disk.c - a disk whose power can be cut.
 *
 *	disk record LOG MEBIBYTES FOLDER
 *	disk replay LOG MEBIBYTES FOLDER
 *
 * Mounts a FUSE file system on FOLDER, with a file "disk" for a loop device,
 * and runs until it is unmounted or its parent dies.
 *
 * record: the disk is initially all zeros. Its writes and flushes (fsync) are
 * logged to LOG in their order, as are writes to the file "marks", in which a
 * test notes what it saw.
 *
 * replay: the disk has contents that the recorded one may have after a power
 * cut. A cut is a write to the file "cut":
 *
 *	POSITION KEEP PIECE SEED
 *
 * It comes after POSITION entries of LOG. Flushed writes are on the disk. The
 * later ones were in the disk's cache, and KEEP says which of them survive:
 * "none"; "all"; "prefix", those before a random one; "some", a random choice;
 * "torn", a random choice of whole or partial writes, in pieces of PIECE
 * octets. SEED makes the choice repeatable. Writes after the cut last until the
 * next cut.
 *
 * There is one thread, so a write that was answered precedes any later flush in
 * the log.
 */

#include "config.h"

#define FUSE_USE_VERSION 31

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#define PAGE_SIZE 4096
#define MEBIBYTE (1024 * 1024)
#define MEBIBYTES_MAX 65536
#define FLUSH_USEC 1000 /* duration of a flush, so that others overlap it */

#define PATH_DISK "/disk"
#define PATH_MARKS "/marks"
#define PATH_CUT "/cut"

enum kind {
	KIND_WRITE, /* data follows */
	KIND_ZERO,
	KIND_FLUSH,
	KIND_MARK, /* text follows */
};

/* The head of an entry of the log. */
struct entry {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t offset;
	uint32_t size;
	uint32_t kind;
};

/* An entry of a log that was read. */
struct event {
	struct entry entry;
	const char *data;
};

enum keep {
	KEEP_NONE,
	KEEP_ALL,
	KEEP_PREFIX,
	KEEP_SOME,
	KEEP_TORN,
	KEEPS,
};

static const char *const keep_names[KEEPS] = {
	[KEEP_NONE] = "none",
	[KEEP_ALL] = "all",
	[KEEP_PREFIX] = "prefix",
	[KEEP_SOME] = "some",
	[KEEP_TORN] = "torn",
};

static bool is_recording;
static uint64_t disk_size;
static char *base; /* the disk; in a replay, its flushed contents */

static FILE *log_file; /* recording only */

/* Replay only. */
static struct event *events;
static size_t event_count;
static size_t base_position; /* number of entries that are in base */
static char **pages; /* pages that differ from base, others are NULL */
static size_t *dirty_pages; /* numbers of the pages that differ */
static size_t dirty_count;

static uint64_t random_state;

/* ---- the log ------------------------------------------------------------- */

static void
log_entry(enum kind kind, uint64_t offset, const void *data, size_t size_bytes)
{
	struct timespec now;
	struct entry entry = {
		.offset = offset,
		.size = (uint32_t)size_bytes,
		.kind = kind,
	};

	clock_gettime(CLOCK_MONOTONIC, &now);
	entry.time_ns =
	    (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	if (fwrite(&entry, sizeof(entry), 1, log_file) != 1 ||
	    (data != NULL &&
		fwrite(data, 1, size_bytes, log_file) != size_bytes))
		err(EX_IOERR, "log");
}

static void
add_event(const struct entry *entry, const char *data)
{
	static size_t room;

	if (event_count == room) {
		room = 2 * room + 1024;
		events = reallocarray(events, room, sizeof(*events));
		if (events == NULL)
			err(EX_OSERR, NULL);
	}
	events[event_count++] = (struct event){ *entry, data };
}

static void
read_log(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const char *text;
	size_t position = 0, length;

	if (fd == -1 || fstat(fd, &st) == -1)
		err(EX_NOINPUT, "%s", path);
	length = (size_t)st.st_size;
	text = mmap(NULL, length, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		err(EX_NOINPUT, "%s", path);
	while (length - position >= sizeof(struct entry)) {
		struct entry entry;
		bool has_data;

		memcpy(&entry, text + position, sizeof(entry));
		position += sizeof(entry);
		has_data = entry.kind == KIND_WRITE || entry.kind == KIND_MARK;
		if (has_data && entry.size > length - position)
			break;
		add_event(&entry, text + position);
		position += has_data ? entry.size : 0;
	}
	if (position != length)
		errx(EX_DATAERR, "%s: the last entry is incomplete", path);
}

/* ---- the disk ------------------------------------------------------------ */

static char *
new_zeros(size_t size_bytes)
{
	char *zeros = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (zeros == MAP_FAILED)
		err(EX_OSERR, "no memory for the disk");
	return zeros;
}

static bool
is_on_disk(uint64_t offset, uint64_t size_bytes)
{
	return offset <= disk_size && size_bytes <= disk_size - offset;
}

/* Return a writable copy of the page at an offset. */
static char *
own_page(uint64_t offset)
{
	size_t number = (size_t)(offset / PAGE_SIZE);

	char *page = pages[number];

	if (page == NULL) {
		if ((page = malloc(PAGE_SIZE)) == NULL)
			err(EX_OSERR, NULL);
		memcpy(page, base + number * PAGE_SIZE, PAGE_SIZE);
		pages[number] = page;
		dirty_pages[dirty_count++] = number;
	}
	return page;
}

static void
drop_pages(void)
{
	while (dirty_count > 0) {
		size_t number = dirty_pages[--dirty_count];

		free(pages[number]);
		pages[number] = NULL;
	}
}

/* Return how much of a range lies in its first page. */
static size_t
in_page(uint64_t offset, size_t size_bytes)
{
	size_t room = PAGE_SIZE - (size_t)(offset % PAGE_SIZE);

	return size_bytes < room ? size_bytes : room;
}

/* Write to pages, not to base; NULL data means zeros. */
static void
overlay_write(uint64_t offset, const char *data, size_t size_bytes)
{
	while (size_bytes > 0) {
		size_t n = in_page(offset, size_bytes);
		char *to = own_page(offset) + offset % PAGE_SIZE;

		if (data != NULL) {
			memcpy(to, data, n);
			data += n;
		} else
			memset(to, 0, n);
		offset += n;
		size_bytes -= n;
	}
}

static void
base_write(uint64_t offset, const char *data, size_t size_bytes)
{
	if (data != NULL)
		memcpy(base + offset, data, size_bytes);
	else
		memset(base + offset, 0, size_bytes);
}

static void
disk_write(uint64_t offset, const char *data, size_t size_bytes)
{
	if (!is_recording) {
		overlay_write(offset, data, size_bytes);
		return;
	}
	base_write(offset, data, size_bytes);
	log_entry(data != NULL ? KIND_WRITE : KIND_ZERO, offset, data,
	    size_bytes);
}

static void
disk_read(uint64_t offset, char *ret_data, size_t size_bytes)
{
	while (size_bytes > 0) {
		size_t n = in_page(offset, size_bytes);
		const char *page =
		    is_recording ? NULL : pages[offset / PAGE_SIZE];

		memcpy(ret_data,
		    page != NULL ? page + offset % PAGE_SIZE : base + offset,
		    n);
		ret_data += n;
		offset += n;
		size_bytes -= n;
	}
}

/* ---- power cuts ---------------------------------------------------------- */

/* xorshift64*, for repeatable choices. */
static uint64_t
random_below(uint64_t limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1d >> 33) % limit;
}

static const char *
event_data(const struct event *event)
{
	return event->entry.kind == KIND_WRITE ? event->data : NULL;
}

static bool
is_write(const struct event *event)
{
	return event->entry.kind == KIND_WRITE ||
	    event->entry.kind == KIND_ZERO;
}

/* Set base to what was flushed before a position. Return the position of the
 * first entry after that flush. */
static size_t
flush_base(size_t position)
{
	size_t end = position;

	while (end > 0 && events[end - 1].entry.kind != KIND_FLUSH)
		end--;
	if (end < base_position) {
		munmap(base, disk_size);
		base = new_zeros(disk_size);
		base_position = 0;
	}
	for (; base_position < end; base_position++) {
		const struct event *event = &events[base_position];

		if (is_write(event))
			base_write(event->entry.offset, event_data(event),
			    event->entry.size);
	}
	return end;
}

/* Keep the start of a write, some pieces of it, all, or nothing. Pieces are
 * aligned on the disk. */
static void
tear(const struct event *event, size_t piece_size)
{
	uint64_t offset = event->entry.offset, end = offset + event->entry.size;
	const char *data = event_data(event);
	uint64_t how = random_below(4), cut;

	cut = how == 0 ? offset + random_below(event->entry.size + 1) : end;
	if (how == 1)
		return;
	while (offset < end) {
		size_t n = piece_size - (size_t)(offset % piece_size);

		if (n > end - offset)
			n = (size_t)(end - offset);
		if (offset + n <= cut && (how != 3 || random_below(2) == 0))
			overlay_write(offset, data, n);
		if (data != NULL)
			data += n;
		offset += n;
	}
}

static void
keep_writes(size_t from, size_t to, enum keep keep, size_t piece_size)
{
	if (keep == KEEP_NONE)
		return;
	if (keep == KEEP_PREFIX)
		to = from + (size_t)random_below(to - from + 1);
	for (size_t i = from; i < to; i++) {
		const struct event *event = &events[i];

		if (!is_write(event))
			continue;
		if (keep == KEEP_TORN)
			tear(event, piece_size);
		else if (keep != KEEP_SOME || random_below(2) == 0)
			overlay_write(event->entry.offset, event_data(event),
			    event->entry.size);
	}
}

static enum keep
parse_keep(const char *name)
{
	enum keep keep = KEEP_NONE;

	while (keep < KEEPS && strcmp(name, keep_names[keep]) != 0)
		keep++;
	return keep;
}

static int
cut_power(const char *command)
{
	size_t position, piece_size;
	uint64_t seed;
	char name[16];
	enum keep keep;

	/* NOLINTNEXTLINE(cert-err34-c): the test wrote the numbers */
	if (sscanf(command, "%zu %15s %zu %" SCNu64, &position, name,
		&piece_size, &seed) != 4)
		return -EINVAL;
	keep = parse_keep(name);
	if (keep == KEEPS || position > event_count || piece_size == 0)
		return -EINVAL;
	random_state = seed * 2 + 1;
	for (int i = 0; i < 8; i++)
		(void)random_below(2); /* mix the few bits of small seeds */
	drop_pages();
	keep_writes(flush_base(position), position, keep, piece_size);
	return 0;
}

/* ---- the file system ----------------------------------------------------- */

static const char *
path_of_control(void)
{
	return is_recording ? PATH_MARKS : PATH_CUT;
}

static int
fs_getattr(const char *path, struct stat *ret_st, struct fuse_file_info *file)
{
	(void)file;
	memset(ret_st, 0, sizeof(*ret_st));
	ret_st->st_nlink = 1;
	ret_st->st_mode = S_IFREG | 0600;
	if (strcmp(path, "/") == 0)
		ret_st->st_mode = S_IFDIR | 0700;
	else if (strcmp(path, PATH_DISK) == 0)
		ret_st->st_size = (off_t)disk_size;
	else if (strcmp(path, path_of_control()) != 0)
		return -ENOENT;
	return 0;
}

/* Bypass the kernel's cache. */
static int
fs_open(const char *path, struct fuse_file_info *file)
{
	(void)path;
	file->direct_io = 1;
	return 0;
}

static int
fs_read(const char *path, char *data, size_t size_bytes, off_t offset,
    struct fuse_file_info *file)
{
	uint64_t from = (uint64_t)offset;

	(void)file;
	if (strcmp(path, PATH_DISK) != 0 || from >= disk_size)
		return 0;
	if (size_bytes > disk_size - from)
		size_bytes = (size_t)(disk_size - from);
	disk_read(from, data, size_bytes);
	return (int)size_bytes;
}

static int
write_control(const char *data, size_t size_bytes)
{
	char command[128];
	int r;

	if (is_recording) {
		log_entry(KIND_MARK, 0, data, size_bytes);
		return (int)size_bytes;
	}
	if (size_bytes >= sizeof(command))
		return -EINVAL;
	memcpy(command, data, size_bytes);
	command[size_bytes] = '\0';
	r = cut_power(command);
	return r < 0 ? r : (int)size_bytes;
}

static int
fs_write(const char *path, const char *data, size_t size_bytes, off_t offset,
    struct fuse_file_info *file)
{
	(void)file;
	if (strcmp(path, PATH_DISK) != 0)
		return write_control(data, size_bytes);
	if (!is_on_disk((uint64_t)offset, size_bytes))
		return -ENOSPC;
	disk_write((uint64_t)offset, data, size_bytes);
	return (int)size_bytes;
}

static int
fs_fsync(const char *path, int is_datasync, struct fuse_file_info *file)
{
	static const struct timespec duration = {
		.tv_nsec = FLUSH_USEC * 1000,
	};

	(void)is_datasync;
	(void)file;
	if (is_recording && strcmp(path, PATH_DISK) == 0) {
		log_entry(KIND_FLUSH, 0, NULL, 0);
		nanosleep(&duration, NULL);
	}
	return 0;
}

/* Discard, and write zeros. */
static int
fs_fallocate(const char *path, int mode, off_t offset, off_t length,
    struct fuse_file_info *file)
{
	(void)file;
	if (strcmp(path, PATH_DISK) != 0 ||
	    (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) == 0)
		return -EOPNOTSUPP;
	if (!is_on_disk((uint64_t)offset, (uint64_t)length))
		return -ENOSPC;
	disk_write((uint64_t)offset, NULL, (size_t)length);
	return 0;
}

static const struct fuse_operations operations = {
	.getattr = fs_getattr,
	.open = fs_open,
	.read = fs_read,
	.write = fs_write,
	.fsync = fs_fsync,
	.fallocate = fs_fallocate,
};

_Noreturn static void
usage(void)
{
	(void)fprintf(stderr,
	    "usage: disk record|replay LOG MEBIBYTES FOLDER\n");
	exit(EX_USAGE);
}

static void
open_disk(const char *log, const char *mebibytes)
{
	const char *problem;
	size_t page_count;

	disk_size = (uint64_t)strtonum(mebibytes, 1, MEBIBYTES_MAX, &problem) *
	    MEBIBYTE;
	if (problem != NULL)
		errx(EX_USAGE, "%s: %s", mebibytes, problem);
	base = new_zeros(disk_size);
	if (is_recording) {
		if ((log_file = fopen(log, "we")) == NULL)
			err(EX_CANTCREAT, "%s", log);
		return;
	}
	read_log(log);
	page_count = (size_t)(disk_size / PAGE_SIZE);
	pages = calloc(page_count, sizeof(*pages));
	dirty_pages = calloc(page_count, sizeof(*dirty_pages));
	if (pages == NULL || dirty_pages == NULL)
		err(EX_OSERR, NULL);
}

int
main(int argc, char *argv[])
{
	char foreground[] = "-f", one_thread[] = "-s";
	int r;

	if (argc != 5)
		usage();
	is_recording = strcmp(argv[1], "record") == 0;
	if (!is_recording && strcmp(argv[1], "replay") != 0)
		usage();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Memory allocation here must not wait for writeback to this disk. */
	(void)prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	/* Our parent unmounts us, even if Ctrl-C reaches the whole group. */
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	open_disk(argv[2], argv[3]);

	char *fuse_argv[] = { argv[0], foreground, one_thread, argv[4], NULL };
	r = fuse_main(4, fuse_argv, &operations, NULL);
	if (log_file != NULL && fclose(log_file) == EOF)
		err(EX_IOERR, "log");
	return r;
}
