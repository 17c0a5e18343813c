/* SPDX-License-Identifier: ISC */

/*
 * repair.c - the repair of what crashes leave in a spool.
 */

#include "config.h"

#include <sys/file.h>

#include <time.h>

#include "lib/spool/names.h"
#include "lib/spool/repair.h"
#include "t/unit/message.h"

#define GONE "00000000000000000000000a"
#define HELD "00000000000000000000000b"

static struct spool *spool;
static int reports;
static char last_report[512];

static void
note_report(void *context, const char *path, const char *what)
{
	(void)context;
	reports++;
	(void)snprintf(last_report, sizeof(last_report), "%s: %s", path, what);
}

/* Set a file's time back. */
static void
make_old(const char *name, time_t age_sec)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) - age_sec },
		{ .tv_sec = time(NULL) - age_sec } };

	need(utimensat(AT_FDCWD, folder_at("%s", name), times, 0) == 0);
}

static void
write_old(const char *name)
{
	folder_write(name, "x\n", 2);
	make_old(name, 3 * 86400);
}

static int
sweep(void)
{
	int r;

	reports = 0;
	r = repair_sweep(spool, note_report, NULL);
	need(r == 0);
	return reports;
}

static void
nothing_to_repair(void)
{
	char id[ID_SIZE];

	message_put(spool, (const char *const[]){ "a@example.org", NULL }, id);
	ok(repair_is_due(spool), "a spool that was never swept is due");
	is_int(sweep(), 0, "a spool in order needs no repair");
	ok(!repair_is_due(spool), "a spool that was swept is not due");
	is_int(folder_count(NAME_NEW), 1, "and its mail is still there");
	make_old(NAME_SWEPT, 2 * 86400);
	ok(repair_is_due(spool), "but is after two days");
	make_old(NAME_SWEPT, -86400);
	ok(repair_is_due(spool), "and if the clock was set back");
}

static void
scratch_file_of_a_dead_session(void)
{
	write_old(NAME_SCRATCH "/" GONE);
	is_int(sweep(), 1, "an unlocked scratch file is reported");
	ok(!folder_has(NAME_SCRATCH "/" GONE), "and removed");
}

static void
scratch_file_of_a_living_session(void)
{
	int fd;

	write_old(NAME_SCRATCH "/" HELD);
	fd = open(folder_at(NAME_SCRATCH "/" HELD), O_RDONLY | O_CLOEXEC);
	need(fd >= 0 && flock(fd, LOCK_EX) == 0);
	is_int(sweep(), 0, "a scratch file that is locked is left alone");
	close(fd);
	make_old(NAME_SCRATCH "/" HELD, 0);
	is_int(sweep(), 0, "so is one that was just made");
	ok(folder_has(NAME_SCRATCH "/" HELD), "both are still there");
	need(unlink(folder_at(NAME_SCRATCH "/" HELD)) == 0);
}

static void
foreign_names(void)
{
	static const char *const folders[] = { NAME_SCRATCH, NAME_ATTEMPTS,
		NAME_RETRY };

	for (size_t i = 0; i < 3; i++) {
		const char *folder = folders[i];

		folder_write(folder_at("%s/README", folder) +
			strlen(folder_path) + 1,
		    "x", 1);
		is_int(sweep(), 1, "%s/README is reported", folder);
		is_int(folder_count(folder), 0, "it is not in %s any more",
		    folder);
		is_int(folder_count(NAME_DAMAGED), (int)i + 1,
		    "it is kept in queue/damaged");
	}
	need(mkdir(folder_at(NAME_RETRY "/202611220000"), 0700) == 0);
	is_int(sweep(), 0, "an empty bucket is not reported");
}

static void
attempts_without_message(void)
{
	write_old(NAME_ATTEMPTS "/" GONE);
	is_int(sweep(), 1, "attempts at a message that is gone are reported");
	ok(!folder_has(NAME_ATTEMPTS "/" GONE), "and removed");
	is_str(last_report,
	    NAME_ATTEMPTS "/" GONE
			  ": attempts of a message that is gone: removed",
	    "the report says what was done");

	folder_write(NAME_ATTEMPTS "/" GONE, "x\n", 2);
	is_int(sweep(), 0, "recent ones are kept: their message may be moving");
	need(unlink(folder_at(NAME_ATTEMPTS "/" GONE)) == 0);
}

static void
attempts_with_message(void)
{
	static const char *const places[] = { NAME_NEW "/" HELD,
		NAME_RETRY "/202611220000/" HELD, NAME_FAILED "/" HELD,
		NAME_DAMAGED "/" HELD };

	write_old(NAME_ATTEMPTS "/" HELD);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		folder_write(places[i], "x", 1);
		is_int(sweep(), 0, "attempts at %s are kept", places[i]);
		need(unlink(folder_at("%s", places[i])) == 0);
	}
	ok(folder_has(NAME_ATTEMPTS "/" HELD), "the attempts are still there");
	is_int(sweep(), 1, "and are removed when the message is gone");
}

static void
destination_that_was_not_reached(void)
{
	write_old(NAME_UNREACHED "/" GONE);
	folder_write(NAME_UNREACHED "/" HELD, "x", 1);
	is_int(sweep(), 0, "entries about destinations are not reported");
	ok(!folder_has(NAME_UNREACHED "/" GONE), "an old one is removed");
	ok(folder_has(NAME_UNREACHED "/" HELD), "a recent one is kept");
}

static void
fault_of_a_program(void)
{
	write_old(NAME_FAULTS "/" GONE);
	folder_write(NAME_FAULTS "/" HELD, "x", 1);
	is_int(sweep(), 0, "faults of programs are not reported");
	ok(!folder_has(NAME_FAULTS "/" GONE), "an old one is removed");
	ok(folder_has(NAME_FAULTS "/" HELD), "a recent one is kept");
}

int
main(void)
{
	folder_make();
	need(spool_open(folder_path, &spool) == 0);
	nothing_to_repair();
	scratch_file_of_a_dead_session();
	scratch_file_of_a_living_session();
	foreign_names();
	attempts_without_message();
	attempts_with_message();
	destination_that_was_not_reached();
	fault_of_a_program();
	spool_close(spool);
	folder_remove();
	return done_testing();
}
