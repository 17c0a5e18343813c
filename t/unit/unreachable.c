/* SPDX-License-Identifier: ISC */

/*
 * unreachable.c - the record of an unreachable destination is parsed as it was
 * rendered; a torn record, or text that is not a record, is refused.
 */

#include "config.h"

#include <errno.h>

#include "lib/spool/names.h"
#include "lib/spool/unreachable.h"
#include "t/unit/message.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define LINE                                                            \
	"1763836310123 1763836440000 3 1763836380456 0 deferred 4.4.1 " \
	"mx.example.org[192.0.2.1]: timed out\n"

static struct spool *spool;

static const struct unreachable known = {
	.since_real_ms = 1763836310123,
	.until_real_ms = 1763836440000,
	.last = { .number = 3,
	    .time_real_ms = 1763836380456,
	    .state = { OUTCOME_DEFERRED, TOLD_NO },
	    .status = "4.4.1",
	    .detail = "mx.example.org[192.0.2.1]: timed out" },
};

static const char twice[] = LINE LINE, with_more[] = LINE "\n";

/* clang-format off */
static const char *const others[] = {
	"",
	"\n",
	"x",
	"1763836310123 1763836440000",
	"1763836310123 1763836440000 ",
	"1763836310123 1763836440000 3 1763836380456 0 deferred 4.4.1 cut short",
	"1763836310123 1763836440000 3 1763836380456 0 delivered 2.0.0 x\n",
	"1763836310123 1763836440000 0 1763836380456 0 deferred 4.4.1 x\n",
	"1763836310123 -1 3 1763836380456 0 deferred 4.4.1 x\n",
	" 1763836310123 1763836440000 3 1763836380456 0 deferred 4.4.1 x\n",
	"1763836310123  1763836440000 3 1763836380456 0 deferred 4.4.1 x\n",
	"01763836310123 1763836440000 3 1763836380456 0 deferred 4.4.1 x\n",
	"3 1763836380456 0 deferred 4.4.1 x\n",
	twice,
	with_more,
};
/* clang-format on */

static void
texts(void)
{
	char text[UNREACHABLE_SIZE];
	struct unreachable read;
	size_t length = unreachable_render(&known, text);

	is_int((int)length, (int)strlen(LINE), "a record is a line");
	ok(memcmp(text, LINE, length) == 0, "with the expected text");
	is_int(unreachable_parse(text, length, &read), 0,
	    "which can be parsed");
	ok(read.since_real_ms == known.since_real_ms &&
		read.until_real_ms == known.until_real_ms &&
		read.last.number == 3 &&
		read.last.time_real_ms == known.last.time_real_ms,
	    "with its times");
	is_str(read.last.detail, known.last.detail, "and its reason");
	for (size_t i = 0; i < COUNT(others); i++)
		is_int(unreachable_parse(others[i], strlen(others[i]), &read),
		    -EBADMSG, "not a record: \"%.40s\"", others[i]);
	for (size_t n = 0; n < length; n++)
		if (unreachable_parse(LINE, n, &read) == 0)
			ok(false, "cut after %zu octets it is still a record",
			    n);
	memset(text, 0, sizeof(text));
	is_int(unreachable_parse(text, length, &read), -EBADMSG,
	    "zeros, as a power cut leaves them, are not a record");
}

static const char *
only_name(void)
{
	static char name[NAME_MAX + 1];
	DIR *folder = opendir(folder_at(NAME_UNREACHED));
	struct dirent *dirent;

	need(folder != NULL);
	name[0] = '\0';
	while ((dirent = readdir(folder)) != NULL)
		if (dirent->d_name[0] != '.')
			(void)strlcpy(name, dirent->d_name, sizeof(name));
	closedir(folder);
	return name;
}

static void
files(void)
{
	struct unreachable read, again = known;
	char path[PATH_MAX];

	is_int(unreachable_recall(spool, "example.org", &read), -ENOENT,
	    "a destination has no record at first");
	is_int(unreachable_forget(spool, "example.org"), 0,
	    "and can be forgotten");
	is_int(unreachable_remember(spool, "example.org", &known), 0,
	    "it is remembered");
	is_int(unreachable_recall(spool, "Example.ORG", &read), 0,
	    "and recalled, in capitals as well");
	is_int((int)read.last.number, 3, "with its attempt");
	is_int(unreachable_recall(spool, "example.com", &read), -ENOENT,
	    "but no other destination is");
	is_int(folder_count(NAME_UNREACHED), 1, "there is one file");
	ok(strstr(only_name(), "example") == NULL,
	    "whose name does not contain the destination");

	again.last.number = 4;
	is_int(unreachable_remember(spool, "example.org", &again), 0,
	    "it is remembered again");
	is_int(folder_count(NAME_UNREACHED), 1, "in the same file");
	need(unreachable_recall(spool, "example.org", &read) == 0);
	is_int((int)read.last.number, 4, "with the new attempt");

	(void)snprintf(path, sizeof(path), "%s/%s", NAME_UNREACHED,
	    only_name());
	folder_write(path, LINE, strlen(LINE) - 10);
	is_int(unreachable_recall(spool, "example.org", &read), -EBADMSG,
	    "a torn file is refused");
	is_int(unreachable_remember(spool, "example.org", &known), 0,
	    "and replaced");
	is_int(unreachable_forget(spool, "example.org"), 0, "it is forgotten");
	is_int(folder_count(NAME_UNREACHED), 0, "and nothing is left");
}

static void
there_is_a_limit(void)
{
	struct unreachable first = known, read;
	char path[PATH_MAX];

	first.last.number = 1;
	need(unreachable_remember(spool, "old.example", &known) == 0);
	for (int i = 1; i < UNREACHABLE_MAX; i++) {
		(void)snprintf(path, sizeof(path), "%s/%032x", NAME_UNREACHED,
		    (unsigned)i);
		folder_write(path, "x", 1);
	}
	is_int(unreachable_remember(spool, "example.org", &first), -ENOSPC,
	    "no more than %d are remembered", UNREACHABLE_MAX);
	is_int(unreachable_recall(spool, "example.org", &read), -ENOENT,
	    "another destination is not");
	is_int(unreachable_remember(spool, "old.example", &known), 0,
	    "one that has a record still is");
}

int
main(void)
{
	folder_make();
	need(spool_open(folder_path, &spool) == 0);
	texts();
	files();
	there_is_a_limit();
	spool_close(spool);
	folder_remove();
	return done_testing();
}
