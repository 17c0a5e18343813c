/* SPDX-License-Identifier: ISC */

/*
 * queue.c - a claim is exclusive; the outcomes of attempts are kept; a torn
 * message is detected; each move leaves one name.
 */

#include "config.h"

#include <sys/wait.h>

#include <poll.h>
#include <signal.h>

#include "lib/clock.h"
#include "lib/spool/names.h"
#include "lib/spool/queue.h"
#include "lib/spool/scan.h"
#include "t/unit/message.h"

#define MINUTE 29397271 /* 2025-11-22 18:31 UTC */
#define BUCKET "202511221831"

static const char *const one[] = { "one@example.org", NULL };
static const char *const three[] = { "one@example.org", "two@example.org",
	"three@example.net", NULL };

static struct spool *spool;
static struct queue *queue;

static struct queue_entry
new_entry(const char *id)
{
	struct queue_entry entry = { .place = QUEUE_NEW };

	(void)strlcpy(entry.name, id, sizeof(entry.name));
	return entry;
}

static struct queue_entry
retry_entry(const char *id, int64_t minute)
{
	struct queue_entry entry = new_entry(id);

	entry.place = QUEUE_RETRY;
	entry.minute = minute;
	return entry;
}

static struct claim *
claim(struct queue_entry entry)
{
	struct claim *claim = NULL;

	need(claim_open(spool, &entry, &claim) == 0);
	return claim;
}

/* Return the result of a claim, without keeping the claim. */
static int
try_claim(struct queue_entry entry)
{
	struct claim *taken = NULL;
	int r = claim_open(spool, &entry, &taken);

	if (r == 0)
		claim_release(taken);
	return r;
}

/* The same, from another process. */
static int
try_claim_elsewhere(struct queue_entry entry)
{
	int status = 0;
	pid_t pid = fork();

	need(pid != -1);
	if (pid == 0)
		_exit(-try_claim(entry) & 0xff);
	need(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static int
record(struct claim *claim, size_t recipient, enum outcome outcome,
    const char *status, const char *detail)
{
	struct attempt attempt = { .recipient = recipient,
		.state.outcome = outcome };

	(void)strlcpy(attempt.status, status, sizeof(attempt.status));
	(void)strlcpy(attempt.detail, detail, sizeof(attempt.detail));
	return claim_record(claim, &attempt, 1);
}

static const char *
path_of(const char *folder, const char *id)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, id);
	return path;
}

static void
finish(struct queue_entry entry)
{
	struct claim *last = claim(entry);

	need(queue_finish(queue, last) == 0);
	claim_release(last);
}

static void
claim_knows_the_message(void)
{
	char id[ID_SIZE], content[sizeof(MESSAGE_TEXT)] = "";
	struct claim *mine;

	message_put(spool, three, id);
	mine = claim(new_entry(id));
	is_str(mine->message.envelope.id, id, "a claim has the id");
	is_str(mine->message.envelope.sender, "sender@example.com",
	    "the sender");
	is_int((int64_t)mine->message.envelope.recipient_count, 3,
	    "the recipients");
	is_str(mine->message.envelope.recipients[2], three[2],
	    "in their order");
	is_int((int64_t)mine->message.content_size_bytes,
	    sizeof(MESSAGE_TEXT) - 1, "the message's size");
	need(pread(mine->message.fd, content, sizeof(content),
		 (off_t)mine->message.content_offset) ==
	    sizeof(MESSAGE_TEXT) - 1);
	is_str(content, MESSAGE_TEXT, "and the message unchanged");
	is_int((int64_t)mine->attempt, 1,
	    "the attempt to be made is the first");
	is_int(mine->states[0].outcome, OUTCOME_NONE, "nothing is known yet");
	claim_release(mine);
	finish(new_entry(id));
}

static void
claim_is_exclusive(void)
{
	char id[ID_SIZE];
	struct claim *mine;

	message_put(spool, one, id);
	mine = claim(new_entry(id));
	is_int(try_claim(new_entry(id)), -EWOULDBLOCK,
	    "a second claim finds the message taken");
	is_int(try_claim_elsewhere(new_entry(id)), -EWOULDBLOCK,
	    "and so does one of another process");
	claim_release(mine);
	is_int(try_claim_elsewhere(new_entry(id)), 0,
	    "a released message can be claimed");
	finish(new_entry(id));
	claim_release(NULL);
}

static void
killed_process_loses_its_claim(void)
{
	char id[ID_SIZE], octet;
	int ready[2];
	pid_t pid;

	message_put(spool, one, id);
	need(pipe2(ready, O_CLOEXEC) == 0 && (pid = fork()) != -1);
	if (pid == 0) {
		(void)claim(new_entry(id));
		(void)!write(ready[1], "", 1);
		alarm(60);
		pause();
		_exit(0);
	}
	need(read(ready[0], &octet, 1) == 1);
	is_int(try_claim(new_entry(id)), -EWOULDBLOCK,
	    "a message is claimed by another process");
	need(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
	is_int(try_claim(new_entry(id)), 0,
	    "which loses its claim when it is killed");
	close(ready[0]);
	close(ready[1]);
	finish(new_entry(id));
}

static void
message_being_accepted_is_not_claimed(void)
{
	struct envelope envelope = message_envelope("", one);
	struct draft *draft = message_draft(spool, &envelope);

	is_int(try_claim(new_entry(envelope.id)), -ENOENT,
	    "a message that is not committed cannot be claimed");
	need(draft_commit(draft) == 0);
	is_int(try_claim_elsewhere(new_entry(envelope.id)), -EWOULDBLOCK,
	    "nor one whose client has no reply yet");
	draft_free(draft);
	is_int(try_claim(new_entry(envelope.id)), 0, "after the reply it can");
	finish(new_entry(envelope.id));
	envelope_clear(&envelope);
}

static void
outcomes_are_kept(void)
{
	char id[ID_SIZE];
	struct claim *mine;

	message_put(spool, three, id);
	mine = claim(new_entry(id));
	need(record(mine, 0, OUTCOME_DELIVERED, "2.0.0", "250 ok") == 0);
	need(record(mine, 1, OUTCOME_DEFERRED, "4.4.1", "busy") == 0);
	need(record(mine, 2, OUTCOME_FAILED, "5.1.1", "") == 0);
	is_int(mine->states[0].outcome, OUTCOME_DELIVERED,
	    "a claim has an outcome at once");
	claim_release(mine);

	mine = claim(new_entry(id));
	is_int(mine->states[0].outcome, OUTCOME_DELIVERED, "delivered is kept");
	is_int(mine->states[1].outcome, OUTCOME_DEFERRED, "deferred is kept");
	is_int(mine->states[2].outcome, OUTCOME_FAILED, "failed is kept");
	is_int((int64_t)mine->attempt, 2, "the next attempt is the second");
	need(record(mine, 1, OUTCOME_DELIVERED, "2.0.0", "250 ok") == 0);
	claim_release(mine);

	mine = claim(new_entry(id));
	is_int(mine->states[1].outcome, OUTCOME_DELIVERED,
	    "the last outcome counts");
	is_int((int64_t)mine->attempt, 3, "the next attempt is the third");
	claim_release(mine);
	finish(new_entry(id));
	is_int(folder_count(NAME_ATTEMPTS), 0,
	    "the attempts are removed with the message");
}

static void
several_outcomes_are_recorded_at_once(void)
{
	struct attempt attempts[] = {
		{ .recipient = 2,
		    .state.outcome = OUTCOME_DEFERRED,
		    .status = "4.0.0" },
		{ .recipient = 0,
		    .state.outcome = OUTCOME_DELIVERED,
		    .status = "2.0.0" },
	};
	char id[ID_SIZE];
	struct claim *mine;

	message_put(spool, three, id);
	mine = claim(new_entry(id));
	is_int(claim_record(mine, attempts, 2), 0, "two outcomes at once");
	claim_release(mine);
	mine = claim(new_entry(id));
	is_int(mine->states[0].outcome, OUTCOME_DELIVERED, "one is kept");
	is_int(mine->states[2].outcome, OUTCOME_DEFERRED, "and the other");
	is_int(mine->states[1].outcome, OUTCOME_NONE, "and no third");
	claim_release(mine);
	finish(new_entry(id));
}

/* A crash, or a full disk, in the middle of a line. */
static void
torn_line_is_ignored(void)
{
	char id[ID_SIZE];
	struct claim *mine;
	int fd;

	message_put(spool, three, id);
	mine = claim(new_entry(id));
	need(record(mine, 0, OUTCOME_DELIVERED, "2.0.0", "250 ok") == 0);
	claim_release(mine);
	fd = open(folder_at("%s", path_of(NAME_ATTEMPTS, id)),
	    O_WRONLY | O_APPEND | O_CLOEXEC);
	need(fd >= 0 && write(fd, "2 1763836310123 1 deliv", 23) == 23);
	close(fd);

	mine = claim(new_entry(id));
	is_int(mine->states[0].outcome, OUTCOME_DELIVERED,
	    "the lines before a torn line are read");
	is_int(mine->states[1].outcome, OUTCOME_NONE, "a torn line is ignored");
	need(record(mine, 2, OUTCOME_DELIVERED, "2.0.0", "250 ok") == 0);
	claim_release(mine);

	mine = claim(new_entry(id));
	is_int(mine->states[2].outcome, OUTCOME_DELIVERED,
	    "a record after a torn line counts");
	is_int(mine->states[1].outcome, OUTCOME_NONE,
	    "the torn line still does not");
	claim_release(mine);
	finish(new_entry(id));
}

/* Damage affects only its own line; a recipient that does not exist is
 * ignored. */
static void
damaged_attempts_are_skipped(void)
{
	static const char text[] = "rubbish\n"
				   "1 1 0 delivered 2.0.0 ok\n"
				   "\n"
				   "1 1 999 delivered 2.0.0 ok\n"
				   "1 1 2 failed 5.0.0 no\n";
	char id[ID_SIZE];
	struct claim *mine;

	message_put(spool, three, id);
	folder_write(path_of(NAME_ATTEMPTS, id), text, sizeof(text) - 1);
	mine = claim(new_entry(id));
	is_int(mine->states[0].outcome, OUTCOME_DELIVERED,
	    "a line between damaged ones is read");
	is_int(mine->states[1].outcome, OUTCOME_NONE,
	    "damaged lines have no outcome");
	is_int(mine->states[2].outcome, OUTCOME_FAILED,
	    "the last line is read");
	claim_release(mine);
	finish(new_entry(id));
}

static void
deferral_moves_to_its_minute(void)
{
	char id[ID_SIZE];
	struct claim *mine;
	struct stat before, after;

	message_put(spool, one, id);
	need(stat(folder_at(NAME_NEW "/%s", id), &before) == 0);
	mine = claim(new_entry(id));
	is_int(queue_defer(queue, mine, MINUTE), 0, "a message is deferred");
	is_int(try_claim(new_entry(id)), -ENOENT, "it is not new any more");
	need(stat(folder_at(NAME_RETRY "/" BUCKET "/%s", id), &after) == 0);
	is_int((int64_t)after.st_ino, (int64_t)before.st_ino,
	    "the same file is in its minute's folder");
	is_int((int64_t)after.st_nlink, 2, "under that name alone");
	is_int(try_claim_elsewhere(retry_entry(id, MINUTE)), -EWOULDBLOCK,
	    "the claim goes with it");
	is_int(queue_defer(queue, mine, MINUTE + 1), 0, "it is deferred again");
	claim_release(mine);
	is_int(folder_count(NAME_RETRY), 1,
	    "a bucket goes when its last message leaves");
	is_int(try_claim(retry_entry(id, MINUTE)), -ENOENT,
	    "it is not in the first bucket");
	is_int(try_claim(retry_entry(id, MINUTE + 1)), 0,
	    "but in the next one");
	finish(retry_entry(id, MINUTE + 1));
	is_int(folder_count(NAME_RETRY), 0,
	    "a finished message leaves no bucket");
	is_int(folder_count(NAME_NEW), 0, "and no name in the queue");
}

static void
bucket_stays_while_it_is_needed(void)
{
	char ids[2][ID_SIZE];
	struct claim *mine;

	for (int i = 0; i < 2; i++) {
		message_put(spool, one, ids[i]);
		mine = claim(new_entry(ids[i]));
		need(queue_defer(queue, mine, MINUTE) == 0);
		claim_release(mine);
	}
	finish(retry_entry(ids[0], MINUTE));
	is_int(folder_count(NAME_RETRY "/" BUCKET), 1,
	    "a bucket stays while there is a message in it");
	mine = claim(retry_entry(ids[1], MINUTE));
	is_int(queue_defer(queue, mine, MINUTE), 0,
	    "a message can be deferred to its own bucket");
	claim_release(mine);
	is_int(folder_count(NAME_RETRY "/" BUCKET), 1, "and stays there");
	finish(retry_entry(ids[1], MINUTE));
}

static void
failed_message_is_kept(void)
{
	char id[ID_SIZE];
	struct claim *mine;

	message_put(spool, one, id);
	mine = claim(new_entry(id));
	need(record(mine, 0, OUTCOME_FAILED, "5.1.1", "no") == 0);
	is_int(queue_fail(queue, mine), 0, "a message fails");
	claim_release(mine);
	ok(folder_has(path_of(NAME_FAILED, id)), "it is kept in queue/failed");
	ok(folder_has(path_of(NAME_ATTEMPTS, id)), "and so are its attempts");
	is_int(try_claim(new_entry(id)), -ENOENT, "it has left the queue");
	need(unlink(folder_at(NAME_FAILED "/%s", id)) == 0);
	need(unlink(folder_at(NAME_ATTEMPTS "/%s", id)) == 0);
}

/* Change each octet in turn, and cut at each length. */
static void
torn_message_is_detected(void)
{
	char id[ID_SIZE], *text;
	size_t size, whole = 0, wrong = 0;

	message_put(spool, three, id);
	text = folder_read(path_of(NAME_NEW, id), &size);
	for (size_t n = 0; n < size; n++) {
		folder_write(path_of(NAME_NEW, id), text, n);
		wrong += try_claim(new_entry(id)) != -EBADMSG;
	}
	is_int((int64_t)wrong, 0, "a message cut short anywhere is damaged");

	wrong = 0;
	for (size_t n = 0; n < size; n++) {
		text[n] ^= 1;
		folder_write(path_of(NAME_NEW, id), text, size);
		wrong += try_claim(new_entry(id)) != -EBADMSG;
		text[n] ^= 1;
	}
	is_int((int64_t)wrong, 0,
	    "a message with one octet changed anywhere is damaged");

	memset(text + size - 5, 0, 5);
	folder_write(path_of(NAME_NEW, id), text, size);
	is_int(try_claim(new_entry(id)), -EBADMSG,
	    "so is one that ends in NULs");
	free(text);

	text = folder_read(path_of(NAME_NEW, id), &whole);
	text[whole] = 'x';
	folder_write(path_of(NAME_NEW, id), text, whole + 1);
	is_int(try_claim(new_entry(id)), -EBADMSG, "and one that is too long");
	free(text);
	need(unlink(folder_at(NAME_NEW "/%s", id)) == 0);
}

static void
message_under_another_id_is_damaged(void)
{
	char id[ID_SIZE];

	message_put(spool, one, id);
	need(rename(folder_at(NAME_NEW "/%s", id),
		 folder_at(NAME_NEW "/0123456789abcdef01234567")) == 0);
	is_int(try_claim(new_entry("0123456789abcdef01234567")), -EBADMSG,
	    "a message under another message's id is damaged");
	need(unlink(folder_at(NAME_NEW "/0123456789abcdef01234567")) == 0);
}

/* The state that a power cut in a deferral can leave on btrfs. */
static void
message_in_two_places_is_one(void)
{
	char id[ID_SIZE], bucket[NAME_BUCKET_SIZE];
	struct claim *mine;

	message_put(spool, (const char *const[]){ "a@example.org", NULL }, id);
	name_format_bucket(MINUTE, bucket);
	need(mkdir(folder_at(NAME_RETRY "/%s", bucket), 0700) == 0);
	need(link(folder_at(NAME_NEW "/%s", id),
		 folder_at(NAME_RETRY "/%s/%s", bucket, id)) == 0);
	mine = claim(new_entry(id));
	ok(access(folder_at(NAME_RETRY "/%s/%s", bucket, id), F_OK) == -1,
	    "a claim removes the message's second name");
	need(link(folder_at(NAME_NEW "/%s", id),
		 folder_at(NAME_RETRY "/%s/%s", bucket, id)) == 0);
	is_int(queue_defer(queue, mine, MINUTE), 0,
	    "it can be deferred to where it has a name already");
	ok(access(folder_at(NAME_NEW "/%s", id), F_OK) == -1 &&
		access(folder_at(NAME_RETRY "/%s/%s", bucket, id), F_OK) == 0,
	    "and is only there");
	is_int(queue_defer(queue, mine, MINUTE), 0,
	    "it can be deferred to the same bucket");
	ok(access(folder_at(NAME_RETRY "/%s/%s", bucket, id), F_OK) == 0,
	    "and stays there");
	need(queue_finish(queue, mine) == 0);
	claim_release(mine);
}

/* Files that are not ours. */
static void
files_that_are_not_messages_are_set_aside(void)
{
	static const char *const names[] = { "README",
		"0123456789abcdef01234567", "00000000000000000000000a",
		"00000000000000000000000b", "00000000000000000000000c" };
	char target[PATH_MAX], *text;
	struct queue_entry entry;
	size_t size;

	(void)strlcpy(target, folder_at("elsewhere"), sizeof(target));
	folder_write("elsewhere", "x", 1);
	folder_write(NAME_NEW "/README", "x", 1);
	folder_write(path_of(NAME_NEW, names[1]), "", 0);
	need(symlink(target, folder_at(NAME_NEW "/%s", names[2])) == 0);
	need(mkdir(folder_at(NAME_NEW "/%s", names[3]), 0700) == 0);
	need(mkfifo(folder_at(NAME_NEW "/%s", names[4]), 0600) == 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		entry = new_entry(names[i]);
		is_int(try_claim(entry), -EBADMSG, "%s is not a message",
		    names[i]);
		is_int(queue_set_aside(queue, &entry), 0, "%s is set aside",
		    names[i]);
		ok(folder_has(path_of(NAME_DAMAGED, names[i])),
		    "%s is in queue/damaged", names[i]);
	}
	is_int(folder_count(NAME_NEW), 0, "none is left in the queue");

	folder_write(NAME_NEW "/README", "y", 1);
	entry = new_entry("README");
	is_int(queue_set_aside(queue, &entry), 0,
	    "a second file of that name is set aside");
	is_int(folder_count(NAME_DAMAGED), 6, "and kept beside the first");
	text = folder_read(NAME_DAMAGED "/README", &size);
	is_str(text, "x", "which is unchanged");
	free(text);
	ok(folder_has("elsewhere"), "what a link points to is not touched");
}

static void
put_off(const char *id, int64_t minute)
{
	struct claim *mine = claim(new_entry(id));

	need(queue_defer(queue, mine, minute) == 0);
	claim_release(mine);
}

/* List the entries that are due at a time, as indices of ids. */
static void
list_due(int64_t real_ms, char ids[][ID_SIZE], int count, char *ret_order)
{
	struct scan *scan;
	struct queue_entry entry;
	int r;

	need(scan_open(spool, real_ms, &scan) == 0);
	while ((r = scan_next(scan, &entry)) > 0)
		for (int i = 0; i < count; i++)
			if (strcmp(entry.name, ids[i]) == 0)
				*ret_order++ = (char)('0' + i);
	need(r == 0);
	*ret_order = '\0';
	scan_close(scan);
}

/* The minute of the next run, counted from MINUTE; -1 if there is none. */
static int64_t
next_run(int64_t real_ms)
{
	int64_t minute = -1;
	int r = scan_find_next_run(folder_path, real_ms, &minute);

	need(r == 0 || r == 1);
	return r == 0 ? -1 : minute - MINUTE;
}

/* With retries at MINUTE, and 5 and 10 minutes later. */
static void
next_run_is_found(void)
{
	const int64_t start = MINUTE * INT64_C(60000);

	is_int(next_run(start - 5001), 0, "the next run is at the first retry");
	is_int(next_run(start - 110 * INT64_C(60000)), 0, "also in two hours");
	is_int(next_run(start - 5000), 1, "not earlier than in five seconds");
	is_int(next_run(start), 2, "soon if it is due");
	is_int(next_run(start + 59999), 2, "at least a minute later");
	is_int(next_run(start + 60000), 3, "then in the next minute");
	is_int(next_run(start - 200 * INT64_C(60000)), -198,
	    "soon if the clock was set back");
}

static void
scan_is_in_order(void)
{
	char ids[4][ID_SIZE], order[8];
	uint64_t count = 0;
	int64_t wait_ms = -1;

	for (int i = 0; i < 4; i++)
		message_put(spool, one, ids[i]);
	put_off(ids[0], MINUTE + 10);
	put_off(ids[1], MINUTE);
	put_off(ids[2], MINUTE + 5);
	need(mkdir(folder_at(NAME_RETRY "/rubbish"), 0700) == 0);

	list_due((MINUTE + 9) * INT64_C(60000), ids, 4, order);
	is_str(order, "312",
	    "new messages are due first, then retries by their minute");
	list_due(MINUTE * INT64_C(60000) - 1, ids, 4, order);
	is_str(order, "3", "a retry is not due before its minute");
	list_due(MINUTE * INT64_C(60000), ids, 4, order);
	is_str(order, "31", "but in it");
	list_due(INT64_MAX, ids, 4, order);
	is_str(order, "3120", "in the end all are due");

	is_int(scan_count(spool, &count), 0, "messages are counted");
	is_int((int64_t)count, 4, "all of those that are queued");
	need(scan_longest_wait(spool, (MINUTE + 2) * INT64_C(60000),
		 &wait_ms) == 0);
	is_int(wait_ms, 2 * 60000, "a retry waits from its minute on");
	need(
	    scan_longest_wait(spool, id_real_ms(ids[3]) + 7777, &wait_ms) == 0);
	ok(wait_ms >= 7777, "a new message from its arrival on");

	next_run_is_found();
	need(rmdir(folder_at(NAME_RETRY "/rubbish")) == 0);
	finish(new_entry(ids[3]));
	finish(retry_entry(ids[0], MINUTE + 10));
	finish(retry_entry(ids[1], MINUTE));
	finish(retry_entry(ids[2], MINUTE + 5));
	need(scan_count(spool, &count) == 0);
	is_int((int64_t)count, 0, "there are no messages at the end");
	need(scan_longest_wait(spool, INT64_MAX, &wait_ms) == 0);
	is_int(wait_ms, 0, "and no message waits");
	is_int(next_run(INT64_C(0)), -1, "and no run is necessary");
	is_int(scan_find_next_run("/nowhere", 0, &wait_ms), 0,
	    "nor without a spool");
}

/* A crash after a message's move leaves its bucket empty. */
static void
empty_bucket_is_removed(void)
{
	char order[8];

	need(mkdir(folder_at(NAME_RETRY "/" BUCKET), 0700) == 0);
	list_due(MINUTE * INT64_C(60000), NULL, 0, order);
	is_int(folder_count(NAME_RETRY), 0,
	    "an empty bucket that is due is removed by the next scan");
	(void)rmdir(folder_at(NAME_RETRY "/" BUCKET));
}

static void
message_that_moves_during_a_scan(void)
{
	char id[ID_SIZE];
	struct scan *scan;
	struct queue_entry entry = { .name = "" };

	message_put(spool, one, id);
	need(scan_open(spool, INT64_MAX, &scan) == 0);
	need(scan_next(scan, &entry) == 1);
	is_str(entry.name, id, "a scan finds a message");
	finish(entry);
	is_int(try_claim(entry), -ENOENT,
	    "a message that has left the queue is detected");
	is_int(scan_next(scan, &entry), 0, "the scan goes on");
	scan_close(scan);
	scan_close(NULL);
}

static void
queue_is_made_durable(void)
{
	char id[ID_SIZE];

	is_int(queue_sync(queue), 0, "an unchanged queue can be made durable");
	for (int i = 0; i < 70; i++) {
		message_put(spool, one, id);
		put_off(id, MINUTE + i);
		if (i % 2 == 0)
			finish(retry_entry(id, MINUTE + i));
	}
	is_int(queue_sync(queue), 0,
	    "and one with many folders, some of them removed");
	for (int i = 1; i < 70; i += 2) {
		char bucket[NAME_BUCKET_SIZE];

		name_format_bucket(MINUTE + i, bucket);
		need(folder_count(path_of(NAME_RETRY, bucket)) == 1);
	}
}

static void
watch_sees_new_mail(void)
{
	struct pollfd pfd = { .events = POLLIN };
	char id[ID_SIZE];

	need((pfd.fd = queue_watch(queue)) >= 0);
	is_int(poll(&pfd, 1, 0), 0, "a watch is quiet at first");
	message_put(spool, one, id);
	is_int(poll(&pfd, 1, 5000), 1, "and readable when mail comes");
	close(pfd.fd);
	finish(new_entry(id));
}

int
main(void)
{
	folder_make();
	need(spool_open(folder_path, &spool) == 0);
	need(queue_open(spool, &queue) == 0);
	claim_knows_the_message();
	claim_is_exclusive();
	killed_process_loses_its_claim();
	message_being_accepted_is_not_claimed();
	outcomes_are_kept();
	several_outcomes_are_recorded_at_once();
	torn_line_is_ignored();
	damaged_attempts_are_skipped();
	deferral_moves_to_its_minute();
	bucket_stays_while_it_is_needed();
	failed_message_is_kept();
	torn_message_is_detected();
	message_under_another_id_is_damaged();
	message_in_two_places_is_one();
	files_that_are_not_messages_are_set_aside();
	scan_is_in_order();
	empty_bucket_is_removed();
	message_that_moves_during_a_scan();
	watch_sees_new_mail();
	queue_is_made_durable();
	queue_close(queue);
	spool_close(spool);
	folder_remove();
	return done_testing();
}
