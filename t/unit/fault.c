/* SPDX-License-Identifier: ISC */

/*
 * fault.c - the fault that a program leaves for smtp-health is a single line,
 * which is cleared when the program works again.
 */

#include "config.h"

#include "lib/spool/fault.h"
#include "lib/spool/names.h"
#include "t/unit/folder.h"

static struct spool *spool;
static char fault[FAULT_SIZE];
static int64_t real_ms;

static int
read_deliver(void)
{
	return fault_read(spool, FAULT_DELIVER, fault, &real_ms);
}

static void
nothing_is_left_without_a_spool(void)
{
	is_int(fault_leave(folder_at("none"), FAULT_DELIVER, "why"), 0,
	    "without a spool no fault is written");
	ok(!folder_has("none"), "and no spool is made");
}

static void
fault_is_read(void)
{
	is_int(read_deliver(), -ENOENT, "at first there is no fault");
	is_int(fault_leave(folder_path, FAULT_DELIVER, "why"), 0,
	    "a fault can be written");
	is_int(read_deliver(), 0, "and read");
	is_str(fault, "why", "as it was");
	ok(real_ms > INT64_C(1700000000000), "with its time");
	is_int(fault_read(spool, FAULT_SESSION, fault, &real_ms), -ENOENT,
	    "each program has its own");
	is_int(fault_leave(folder_path, FAULT_DELIVER, "a\r\nb\033"), 0,
	    "another fault can be written");
	is_int(read_deliver(), 0, "and replaces the first");
	is_str(fault, "a??b?", "without control characters");
	is_int(folder_count(NAME_FAULTS), 1, "in one file");
}

static void
long_fault_is_cut(void)
{
	char long_text[2 * FAULT_SIZE];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	is_int(fault_leave(folder_path, FAULT_DELIVER, long_text), 0,
	    "a long fault is written");
	is_int(read_deliver(), 0, "and can be read");
	is_int((int)strlen(fault), FAULT_SIZE - 2, "up to its maximum length");
}

static void
fault_is_cleared(void)
{
	is_int(fault_clear(spool, FAULT_DELIVER), 0, "a fault is cleared");
	is_int(read_deliver(), -ENOENT, "then there is no fault");
	is_int(fault_clear(spool, FAULT_DELIVER), 0,
	    "clearing a missing one succeeds");
	need(rmdir(folder_at(NAME_FAULTS)) == 0);
	is_int(fault_clear(spool, FAULT_DELIVER), 0, "even without the folder");
}

int
main(void)
{
	char token[TOKEN_SIZE];

	folder_make();
	need(spool_open(folder_path, &spool) == 0);
	need(spool_token(spool, "a@example.org", token) == 0);
	nothing_is_left_without_a_spool();
	fault_is_read();
	long_fault_is_cut();
	fault_is_cleared();
	spool_close(spool);
	folder_remove();
	return done_testing();
}
