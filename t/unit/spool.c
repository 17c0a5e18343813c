/* SPDX-License-Identifier: ISC */

/*
 * spool.c - a missing spool is created, private, with a key that is created
 * once; a damaged key is an error.
 */

#include "config.h"

#include <sys/statvfs.h>
#include <sys/wait.h>

#include "lib/spool/spool.h"
#include "t/unit/folder.h"
#include "t/unit/tmpfile.h"

#define PROCESSES 8

static struct spool *
open_spool(const char *name)
{
	struct spool *spool = NULL;

	need(spool_open(folder_at("%s", name), &spool) == 0);
	return spool;
}

static int
mode_of(const char *name)
{
	struct stat st;

	return lstat(folder_at("%s", name), &st) == 0 ? (int)st.st_mode & 07777
						      : -errno;
}

static void
make_key(const char *name)
{
	struct spool *spool = open_spool(name);
	char token[TOKEN_SIZE];

	need(spool_token(spool, "a@example.org", token) == 0);
	spool_close(spool);
}

static void
folders_are_made_private(void)
{
	static const char *const names[] = { "s/queue", "s/queue/new",
		"s/queue/retry", "s/queue/attempts", "s/queue/failed",
		"s/queue/damaged", "s/scratch" };
	mode_t saved = umask(0);

	spool_close(open_spool("s"));
	make_key("s");
	umask(saved);
	is_int(mode_of("s"), 0700, "the spool has mode 0700");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		is_int(mode_of(names[i]), 0700, "%s has mode 0700", names[i]);
	is_int(mode_of("s/key"), 0600, "the key has mode 0600");
}

static void
parents_are_made(void)
{
	struct spool *spool = NULL;

	is_int(spool_open(folder_at("p/q/r"), &spool), 0,
	    "a spool is made with its parents");
	spool_close(spool);
	is_int(mode_of("p/q/r"), 0700, "it has mode 0700");
	is_int(spool_open(folder_at("slash/r/"), &spool), 0,
	    "its path may end in a slash");
	spool_close(spool);
	is_int(mode_of("slash/r"), 0700, "it has mode 0700 all the same");
	need(chdir(folder_path) == 0);
	is_int(spool_open("./data/spool", &spool), 0,
	    "its path may be relative");
	spool_close(spool);
	is_int(mode_of("data/spool"), 0700, "and is made there");
}

static void
missing_folder_is_made_again(void)
{
	need(rmdir(folder_at("s/queue/new")) == 0);
	need(rmdir(folder_at("s/queue/retry")) == 0);
	spool_close(open_spool("s"));
	is_int(mode_of("s/queue/new"), 0700, "a missing folder is made again");
	is_int(mode_of("s/queue/retry"), 0700, "and so are the others");
}

static void
path_that_is_no_folder_is_refused(void)
{
	struct spool *spool;

	folder_write("file", "", 0);
	is_int(spool_open(folder_at("file"), &spool), -ENOTDIR,
	    "a file is not a spool");
	is_int(spool_open(folder_at("file/s"), &spool), -ENOTDIR,
	    "nor can a spool be made in it");
	is_int(spool_open("", &spool), -ENOENT, "nor without a path");
}

static void
tokens_stay_the_same(void)
{
	struct spool *spool = open_spool("s");
	char token[TOKEN_SIZE], again[TOKEN_SIZE];

	need(spool_token(spool, "a@example.org", token) == 0);
	need(spool_token(spool, "a@example.org", again) == 0);
	is_str(again, token, "a recipient's token stays the same");
	need(spool_token(spool, "b@example.org", again) == 0);
	ok(strcmp(again, token) != 0, "another recipient has another token");
	spool_close(spool);

	spool = open_spool("s");
	need(spool_token(spool, "a@example.org", again) == 0);
	is_str(again, token, "a recipient's token survives a restart");
	spool_close(spool);
}

static void
each_spool_has_its_own_key(void)
{
	struct spool *spool = open_spool("s"), *other = open_spool("other");
	char token[TOKEN_SIZE], other_token[TOKEN_SIZE];

	need(spool_token(spool, "a@example.org", token) == 0);
	need(spool_token(other, "a@example.org", other_token) == 0);
	ok(strcmp(token, other_token) != 0,
	    "another spool has another key, so tokens cannot be guessed");
	spool_close(spool);
	spool_close(other);
}

static void
damaged_key_is_an_error(void)
{
	static const uint8_t octets[TOKEN_KEY_SIZE + 1] = { 1 };
	static const size_t sizes[] = { 0, 1, TOKEN_KEY_SIZE - 1,
		TOKEN_KEY_SIZE + 1 };
	char token[TOKEN_SIZE];
	struct spool *spool;
	size_t size;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		folder_write("other/key", octets, sizes[i]);
		spool = open_spool("other");
		is_int(spool_token(spool, "a@example.org", token), -EBADMSG,
		    "a key of %zu octets is damaged", sizes[i]);
		spool_close(spool);
		free(folder_read("other/key", &size));
		is_int((int64_t)size, (int64_t)sizes[i],
		    "and is left as it is");
	}
	need(unlink(folder_at("other/key")) == 0);
	need(mkdir(folder_at("other/key"), 0700) == 0);
	spool = open_spool("other");
	ok(spool_token(spool, "a@example.org", token) < 0,
	    "a folder is not a key");
	spool_close(spool);
	need(rmdir(folder_at("other/key")) == 0);
}

/* In a child: write a token under the key as soon as all children may start. */
_Noreturn static void
write_token(const char *name, int start_fd, int token_fd)
{
	struct spool *spool = open_spool(name);
	char token[TOKEN_SIZE], octet;

	(void)!read(start_fd, &octet, 1); /* end of file */
	need(spool_token(spool, "a@example.org", token) == 0);
	(void)!write(token_fd, token, TOKEN_SIZE);
	_exit(0);
}

/* Count the tokens that differ from the first. */
static int
count_different(int token_fd)
{
	char token[TOKEN_SIZE], first[TOKEN_SIZE] = "";
	int different = 0;

	for (int i = 0; i < PROCESSES; i++) {
		need(read(token_fd, token, TOKEN_SIZE) == TOKEN_SIZE);
		if (first[0] == '\0')
			memcpy(first, token, TOKEN_SIZE);
		different += strcmp(first, token) != 0;
	}
	return different;
}

/* Processes that find no key at the same time must agree on one. */
static void
key_is_made_once(const char *name)
{
	char scratch[NAME_MAX];
	int start[2], tokens[2], status, different;

	(void)snprintf(scratch, sizeof(scratch), "%s/scratch", name);
	spool_close(open_spool(name));
	need(pipe2(start, O_CLOEXEC) == 0 && pipe2(tokens, O_CLOEXEC) == 0);
	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		need(pid != -1);
		if (pid == 0) {
			close(start[1]);
			write_token(name, start[0], tokens[1]);
		}
	}
	close(start[1]);
	close(start[0]);
	close(tokens[1]);
	different = count_different(tokens[0]);
	close(tokens[0]);
	while (wait(&status) > 0)
		need(status == 0);
	is_int(different, 0, "%d processes agree on a new key", PROCESSES);
	is_int(folder_count(scratch), 0, "and leave nothing in scratch");
}

static void
space_is_checked(void)
{
	struct spool *spool = open_spool("s");
	struct statvfs fs;

	need(statvfs(folder_path, &fs) == 0);
	is_int(spool_check_space(spool, 0), 0, "there is space for 0 octets");
	is_int(
	    spool_check_space(spool, (uint64_t)fs.f_blocks * fs.f_frsize + 1),
	    -ENOSPC, "but not for more than the file system's size");
	spool_reserve(spool, (int)(fs.f_blocks * fs.f_frsize >> 20) + 1);
	is_int(spool_check_space(spool, 0), -ENOSPC,
	    "nor if that much is reserved");
	spool_close(spool);
}

static void
spool_is_writable(const char *how)
{
	struct spool *spool = open_spool("s");

	is_int(spool_check_writable(spool), 0, "a spool is writable%s", how);
	is_int(folder_count("s/queue/new"), 0,
	    "the check leaves nothing in the queue%s", how);
	is_int(folder_count("s/scratch"), 0, "nor in scratch%s", how);
	spool_close(spool);
}

static void
files_for_counting_are_made(void)
{
	struct spool *spool = open_spool("s");
	int fd = spool_open_counters(spool), other_fd;

	ok(fd >= 0, "the counters' file is opened");
	need(write(fd, "x", 1) == 1);
	ok((other_fd = spool_open_counters(spool)) >= 0, "and opened again");
	char octet = 0;
	need(read(other_fd, &octet, 1) == 1);
	is_int(octet, 'x', "it is the same file");
	close(fd);
	close(other_fd);
	ok((fd = spool_open_sessions(spool)) >= 0,
	    "the sessions' file is opened");
	close(fd);
	is_int(mode_of("s/counters"), 0600, "the counters have mode 0600");
	is_int(mode_of("s/sessions"), 0600, "the sessions have mode 0600");
	spool_close(spool);
}

int
main(void)
{
	folder_make();
	folders_are_made_private();
	parents_are_made();
	missing_folder_is_made_again();
	path_that_is_no_folder_is_refused();
	tokens_stay_the_same();
	each_spool_has_its_own_key();
	damaged_key_is_an_error();
	key_is_made_once("race");
	space_is_checked();
	spool_is_writable("");
	files_for_counting_are_made();
	spool_close(NULL);

	forbid_tmpfile();
	key_is_made_once("race-without-tmpfile");
	spool_is_writable(" without O_TMPFILE");
	folder_remove();
	return done_testing();
}
