/* SPDX-License-Identifier: ISC */

/*
 * counters.c - no count of several processes in one file is lost.
 */

#include "config.h"

#include <sys/wait.h>

#include "lib/counters.h"
#include "t/unit/folder.h"

#define PROCESSES 4
#define ADDITIONS 20000

static struct counters *
open_counters(void)
{
	struct counters *counters;
	int fd =
	    open(folder_at("counters"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	need(fd >= 0);
	need(counters_open(fd, &counters) == 0);
	return counters;
}

static void
counters_begin_at_zero(void)
{
	struct counters *counters = open_counters();

	for (int i = 0; i < COUNTERS; i++)
		is_int((int64_t)counters_get(counters, (enum counter)i), 0,
		    "%s is 0 at first", counter_name((enum counter)i));
	counters_close(counters);
}

static void
count_in_a_child(void)
{
	struct counters *counters = open_counters();

	for (int i = 0; i < ADDITIONS; i++) {
		counters_add(counters, COUNTER_MESSAGES_QUEUED, 1);
		counters_add(counters, COUNTER_MESSAGES_DELIVERED, 2);
	}
	counters_close(counters);
	_exit(0);
}

static void
several_processes_count(void)
{
	struct counters *counters;
	int status;

	for (int i = 0; i < PROCESSES; i++) {
		pid_t pid = fork();

		need(pid != -1);
		if (pid == 0)
			count_in_a_child();
	}
	while (wait(&status) > 0)
		need(status == 0);
	counters = open_counters();
	is_int((int64_t)counters_get(counters, COUNTER_MESSAGES_QUEUED),
	    PROCESSES * ADDITIONS, "no addition of %d processes is lost",
	    PROCESSES);
	is_int((int64_t)counters_get(counters, COUNTER_MESSAGES_DELIVERED),
	    2 * PROCESSES * ADDITIONS, "in either counter");
	is_int((int64_t)counters_get(counters, COUNTER_DELIVERY_FAILURES), 0,
	    "and other counters do not change");
	counters_close(counters);
}

/* If a process keeps a counter's slot locked, other processes lose a count, but
 * do not wait. */
static void
no_process_waits_for_a_lock_for_ever(void)
{
	struct flock lock = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_len = sizeof(uint64_t) };
	struct counters *counters = open_counters();
	uint64_t before = counters_get(counters, COUNTER_MESSAGES_QUEUED);
	int fd = open(folder_at("counters"), O_RDWR | O_CLOEXEC);

	need(fd >= 0);
	need(fcntl(fd, F_OFD_SETLK, &lock) == 0);
	alarm(60);
	counters_add(counters, COUNTER_MESSAGES_QUEUED, 1);
	alarm(0);
	is_int((int64_t)counters_get(counters, COUNTER_MESSAGES_QUEUED),
	    (int64_t)before, "counting does not wait for a locked slot");
	close(fd);
	counters_add(counters, COUNTER_MESSAGES_QUEUED, 1);
	is_int((int64_t)counters_get(counters, COUNTER_MESSAGES_QUEUED),
	    (int64_t)before + 1, "and counts again when the slot is free");
	counters_close(counters);
}

static void
large_numbers_are_counted(void)
{
	struct counters *counters = open_counters();

	counters_add(counters, COUNTER_DELIVERY_FAILURES, UINT64_C(1) << 40);
	counters_close(counters);
	counters = open_counters();
	is_int((int64_t)counters_get(counters, COUNTER_DELIVERY_FAILURES),
	    INT64_C(1) << 40, "counters have 64 bits and are kept");
	counters_close(counters);
}

static void
short_file_is_made_longer(void)
{
	static const uint64_t one = 7;
	struct counters *counters;

	folder_write("counters", &one, sizeof(one));
	counters = open_counters();
	is_int((int64_t)counters_get(counters, COUNTER_MESSAGES_QUEUED), 7,
	    "a file of one counter is kept");
	counters_add(counters, (enum counter)(COUNTERS - 1), 1);
	is_int((int64_t)counters_get(counters, (enum counter)(COUNTERS - 1)), 1,
	    "and has room for the others");
	counters_close(counters);
}

static void
file_that_is_cut_short_kills_no_process(void)
{
	struct counters *counters = open_counters();

	counters_add(counters, COUNTER_MESSAGES_QUEUED, 1);
	need(truncate(folder_at("counters"), 0) == 0);
	is_int((int64_t)counters_get(counters, COUNTER_MESSAGES_QUEUED), 0,
	    "a counter that was cut off is 0");
	counters_add(counters, COUNTER_MESSAGES_QUEUED, 1);
	is_int((int64_t)counters_get(counters, COUNTER_MESSAGES_QUEUED), 1,
	    "counting goes on");
	counters_close(counters);
}

static void
file_that_cannot_be_written_is_no_trouble(void)
{
	struct counters *counters;
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	need(fd >= 0);
	need(counters_open(fd, &counters) == 0);
	counters_add(counters, COUNTER_MESSAGES_QUEUED, 1);
	counters_close(counters);
	is_int(fcntl(fd, F_GETFD), -1, "its descriptor is closed");
}

static void
no_counters_are_no_trouble(void)
{
	counters_add(NULL, COUNTER_MESSAGES_QUEUED, 1);
	is_int((int64_t)counters_get(NULL, COUNTER_MESSAGES_QUEUED), 0,
	    "without a file nothing is counted, and nothing breaks");
	counters_close(NULL);
}

static void
names_are_those_of_the_metrics(void)
{
	is_str(counter_name(COUNTER_MESSAGES_QUEUED),
	    "smtp_messages_queued_total", "name");
	is_str(counter_name(COUNTER_MESSAGES_DELIVERED),
	    "smtp_messages_delivered_total", "name");
	is_str(counter_name(COUNTER_DELIVERY_FAILURES),
	    "smtp_delivery_failures_total", "name");
	for (int i = 0; i < COUNTERS; i++)
		ok(strlen(counter_help((enum counter)i)) > 10, "%s has help",
		    counter_name((enum counter)i));
}

int
main(void)
{
	folder_make();
	counters_begin_at_zero();
	several_processes_count();
	no_process_waits_for_a_lock_for_ever();
	large_numbers_are_counted();
	short_file_is_made_longer();
	file_that_is_cut_short_kills_no_process();
	file_that_cannot_be_written_is_no_trouble();
	no_counters_are_no_trouble();
	names_are_those_of_the_metrics();
	folder_remove();
	return done_testing();
}
