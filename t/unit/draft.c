/* SPDX-License-Identifier: ISC */

/*
 * draft.c - a committed message is one file with all of its names; a draft that
 * is not committed leaves nothing. With O_TMPFILE and without it.
 */

#include "config.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <signal.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/spool/message.h"
#include "lib/spool/names.h"
#include "t/unit/message.h"
#include "t/unit/tmpfile.h"

static const char *const one[] = { "one@example.org", NULL };
static const char *const three[] = { "one@example.org", "two@example.org",
	"\"../../etc\"@[192.0.2.1]", NULL };

static const char *how = "with O_TMPFILE";
static struct spool *spool;

static time_t ahead_sec;

/* Replaces the C library's. */
int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	int r = (int)syscall(SYS_clock_gettime, clock, ret_time);

	if (r == 0 && clock == CLOCK_REALTIME)
		ret_time->tv_sec += ahead_sec;
	return r;
}

/* The name of a recipient's copy, below the folder. */
static const char *
mail_name(const char *id, const char *address)
{
	static char path[PATH_MAX];
	char day[NAME_DAY_SIZE], name[NAME_MAIL_SIZE], token[TOKEN_SIZE];

	name_format_day(clock_real_ms(), day);
	need(spool_token(spool, address, token) == 0);
	name_format_mail(id, token, name);
	(void)snprintf(path, sizeof(path), "%s/%s", day, name);
	return path;
}

static const char *
new_name(const char *id)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), NAME_NEW "/%s", id);
	return path;
}

static struct stat
stat_of(const char *name)
{
	struct stat st;

	need(lstat(folder_at("%s", name), &st) == 0);
	return st;
}

static int
count_one(const char *path, const struct stat *st)
{
	(void)path;
	(void)st;
	return 1;
}

static int
has_wrong_mode(const char *path, const struct stat *st)
{
	(void)path;
	return (st->st_mode & 07777) !=
	    (S_ISDIR(st->st_mode) ? (mode_t)0700 : (mode_t)0600);
}

static int
names_an_address(const char *path, const struct stat *st)
{
	const char *name = path + strlen(folder_path);

	(void)st;
	return strchr(name, '@') != NULL || strstr(name, "example") != NULL ||
	    strstr(name, "one") != NULL || strstr(name, "two") != NULL ||
	    strstr(name, "etc") != NULL;
}

static void
commit_makes_every_name(void)
{
	struct envelope envelope = message_envelope("a@example.com", three);
	struct draft *draft = message_draft(spool, &envelope);
	struct stat queued;

	is_int((int64_t)draft_size(draft), sizeof(MESSAGE_TEXT) - 1,
	    "a draft knows its size %s", how);
	is_int(draft_commit(draft), 0, "a message is committed %s", how);
	draft_free(draft);

	queued = stat_of(new_name(envelope.id));
	is_int((int64_t)queued.st_nlink, 4,
	    "it has a name in the queue and one for each recipient, no other");
	for (size_t i = 0; i < 3; i++)
		is_int(
		    (int64_t)stat_of(mail_name(envelope.id, three[i])).st_ino,
		    (int64_t)queued.st_ino,
		    "recipient %zu's copy under today's folder is the same file",
		    i);
	is_int(folder_count(NAME_SCRATCH), 0, "nothing is left in scratch");
	is_int(folder_sum(has_wrong_mode), 0,
	    "folders have mode 0700, files 0600");
	is_int(folder_sum(names_an_address), 0, "no name holds an address");
	envelope_clear(&envelope);
}

/* The file is readable by any mail reader. */
static void
file_is_block_and_message(void)
{
	struct envelope envelope = message_envelope("a@example.com", three);
	struct draft *draft;
	char expected[1024], *text;
	size_t size;

	envelope.is_8bitmime = true;
	draft = message_draft(spool, &envelope);
	need(draft_commit(draft) == 0);
	draft_free(draft);
	text = folder_read(mail_name(envelope.id, three[1]), &size);
	(void)snprintf(expected, sizeof(expected),
	    "Return-Path: <a@example.com>\r\n"
	    "Envelope-To: <one@example.org>\r\n"
	    "Envelope-To: <two@example.org>\r\n"
	    "Envelope-To: <\"../../etc\"@[192.0.2.1]>\r\n"
	    "X-Smtpserver-Id: %s\r\n"
	    "X-Smtpserver-Options: 8BITMIME\r\n"
	    "X-Smtpserver-Content: size=%012zu xxh3=",
	    envelope.id, sizeof(MESSAGE_TEXT) - 1);
	is_mem(text, size < strlen(expected) ? size : strlen(expected),
	    expected, strlen(expected), "a stored file begins with the block");
	is_str(text + strlen(expected) + 16, "\r\n" MESSAGE_TEXT,
	    "the message follows unchanged");
	free(text);
	envelope_clear(&envelope);
}

static void
submitter_is_kept(void)
{
	struct envelope envelope = message_envelope("a@example.com", one);
	char text[sizeof(MESSAGE_TEXT)];
	struct message message;
	struct draft *draft;
	int fd;

	envelope.submitter = (struct submitter){ .is_known = true,
		.uid = 33,
		.unit = "apache2.service" };
	draft = message_draft(spool, &envelope);
	is_int((int64_t)draft_size(draft), sizeof(MESSAGE_TEXT) - 1,
	    "the submitter is no part of the message");
	need(draft_commit(draft) == 0);
	draft_free(draft);
	need((fd = open(folder_at("%s", mail_name(envelope.id, one[0])),
		  O_RDONLY | O_CLOEXEC)) >= 0);
	is_int(message_open_whole(fd, &message), 0, "the message is whole");
	ok(message.envelope.submitter.is_known &&
		message.envelope.submitter.uid == 33,
	    "its submitter is known");
	is_str(message.envelope.submitter.unit, "apache2.service",
	    "and the unit");
	is_int((int64_t)message.content_size_bytes, sizeof(MESSAGE_TEXT) - 1,
	    "its content has the size of the message");
	is_int(message_read_start(&message, text, sizeof(text)),
	    sizeof(MESSAGE_TEXT) - 1, "and is read");
	is_mem(text, sizeof(MESSAGE_TEXT) - 1, MESSAGE_TEXT,
	    sizeof(MESSAGE_TEXT) - 1, "as it was written");
	message_close(&message);
	envelope_clear(&envelope);
}

static void
nothing_is_seen_before_commit(void)
{
	int before = folder_sum(count_one), used = folder_count(NAME_SCRATCH);
	struct envelope envelope = message_envelope("a@example.com", three);
	struct draft *draft = message_draft(spool, &envelope);

	used = folder_count(NAME_SCRATCH) - used;
	is_int(folder_sum(count_one) - used, before,
	    "a draft is not visible %s", how);
	draft_free(draft);
	is_int(folder_sum(count_one), before,
	    "a dropped draft leaves nothing %s", how);
	envelope_clear(&envelope);
}

static void
large_message_is_written_whole(void)
{
	struct envelope envelope = message_envelope("", one);
	struct draft *draft;
	size_t sizes[] = { 1, 65535, 65536, 65537, 3, 200000, 60000, 10000 };
	size_t total = 0, size;
	char *data, *text;

	need((data = malloc(1000000)) != NULL);
	for (size_t i = 0; i < 1000000; i++)
		data[i] = (char)(i * 13 % 251);
	need(draft_begin(spool, &envelope, &draft) == 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		need(draft_write(draft, data + total, sizes[i]) == 0);
		total += sizes[i];
	}
	is_int((int64_t)draft_size(draft), (int64_t)total,
	    "a large draft knows its size");
	need(draft_commit(draft) == 0);
	draft_free(draft);
	text = folder_read(new_name(envelope.id), &size);
	need(size > total);
	is_mem(text + size - total, total, data, total,
	    "pieces of all sizes are written in their order");
	free(text);
	free(data);
	envelope_clear(&envelope);
}

static void
message_is_locked_until_freed(void)
{
	struct envelope envelope = message_envelope("", one);
	struct draft *draft = message_draft(spool, &envelope);
	int fd;

	need(draft_commit(draft) == 0);
	fd = open(folder_at("%s", new_name(envelope.id)), O_RDONLY | O_CLOEXEC);
	need(fd >= 0);
	ok(flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK,
	    "a message is locked until its draft is freed");
	draft_free(draft);
	is_int(flock(fd, LOCK_EX | LOCK_NB), 0, "and not afterwards");
	close(fd);
	envelope_clear(&envelope);
}

/* Occupy a name: the last one to be made, then an earlier one. */
static void
failed_commit_takes_its_names_back(void)
{
	struct envelope envelope = message_envelope("", three);
	struct draft *draft = message_draft(spool, &envelope);
	int before;

	folder_write(new_name(envelope.id), "x", 1);
	before = folder_sum(count_one) - (folder_count(NAME_SCRATCH) > 0);
	is_int(draft_commit(draft), -EEXIST,
	    "a commit whose last name is taken fails");
	draft_free(draft);
	is_int(folder_sum(count_one), before, "and leaves no name %s", how);
	is_int((int64_t)stat_of(new_name(envelope.id)).st_size, 1,
	    "and does not touch the file in its way");
	need(unlink(folder_at("%s", new_name(envelope.id))) == 0);

	draft = message_draft(spool, &envelope);
	folder_write(mail_name(envelope.id, three[1]), "x", 1);
	before = folder_sum(count_one) - (folder_count(NAME_SCRATCH) > 0);
	is_int(draft_commit(draft), -EEXIST,
	    "a commit whose second recipient's name is taken fails");
	draft_free(draft);
	is_int(folder_sum(count_one), before, "and leaves no name %s", how);
	ok(!folder_has(new_name(envelope.id)), "not in the queue either");
	need(unlink(folder_at("%s", mail_name(envelope.id, three[1]))) == 0);
	envelope_clear(&envelope);
}

/* Kill a session. Without O_TMPFILE its scratch file stays, and blocks
 * nothing. */
static void
killed_draft_leaves_nothing(void)
{
	int before = folder_sum(count_one), ready[2];
	char octet;
	pid_t pid;

	need(pipe2(ready, O_CLOEXEC) == 0);
	need((pid = fork()) != -1);
	if (pid == 0) {
		struct envelope envelope = message_envelope("", three);

		(void)message_draft(spool, &envelope);
		(void)!write(ready[1], "", 1);
		alarm(60);
		pause();
		_exit(0);
	}
	need(read(ready[0], &octet, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	need(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	is_int(folder_sum(count_one) - folder_count(NAME_SCRATCH), before,
	    "a killed session leaves nothing but scratch %s", how);
}

static void
damaged_key_stops_the_commit(void)
{
	struct spool *other = NULL;
	struct envelope envelope = message_envelope("", one);
	struct draft *draft;
	size_t size;
	char *key = folder_read(NAME_KEY, &size);
	int before;

	folder_write(NAME_KEY, key, 5);
	need(spool_open(folder_path, &other) == 0);
	draft = message_draft(other, &envelope);
	before = folder_sum(count_one) - (folder_count(NAME_SCRATCH) > 0);
	is_int(draft_commit(draft), -EBADMSG,
	    "with a damaged key nothing is committed");
	draft_free(draft);
	is_int(folder_sum(count_one), before, "and nothing is left");
	spool_close(other);
	folder_write(NAME_KEY, key, size);
	free(key);
	envelope_clear(&envelope);
}

static bool
is_stored_today(void)
{
	char id[ID_SIZE];

	message_put(spool, one, id);
	return folder_has(mail_name(id, one[0]));
}

/* The spool keeps the folder of today open. */
static void
folder_of_today_is_found(void)
{
	static time_t day_without_mail_sec = 48 * 60 * 60;
	char id[ID_SIZE], path[PATH_MAX];

	ok(is_stored_today(), "mail is stored in the folder of today %s", how);
	ahead_sec = 24 * 60 * 60;
	ok(is_stored_today(), "and tomorrow in tomorrow's folder");
	ahead_sec = 0;
	ok(is_stored_today(),
	    "and in the former one when the clock is set back");

	ahead_sec = day_without_mail_sec;
	day_without_mail_sec += 24 * 60 * 60;
	message_put(spool, one, id);
	(void)strlcpy(path, mail_name(id, one[0]), sizeof(path));
	need(unlink(folder_at("%s", path)) == 0);
	*strrchr(path, '/') = '\0';
	need(rmdir(folder_at("%s", path)) == 0);
	ok(is_stored_today(), "a folder that was removed is made again");
	ahead_sec = 0;
}

static void
all_of_it(void)
{
	need(spool_open(folder_path, &spool) == 0);
	commit_makes_every_name();
	file_is_block_and_message();
	submitter_is_kept();
	nothing_is_seen_before_commit();
	large_message_is_written_whole();
	message_is_locked_until_freed();
	failed_commit_takes_its_names_back();
	damaged_key_stops_the_commit();
	folder_of_today_is_found();
	killed_draft_leaves_nothing();
	spool_close(spool);
}

int
main(void)
{
	folder_make();
	all_of_it();
	draft_free(NULL);
	forbid_tmpfile();
	how = "without O_TMPFILE";
	all_of_it();
	folder_remove();
	return done_testing();
}
