/* SPDX-License-Identifier: ISC */

/*
 * attempts.c - attempt files: an attempt that was parsed is unchanged after it
 * is rendered and parsed again, and so are the parts of its detail.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>

#include "lib/spool/attempts.h"
#include "lib/spool/unreachable.h"
#include "t/fuzz/fuzz.h"

static void
check_line(const char *line, size_t length)
{
	must(length > 0 && length < ATTEMPT_LINE_SIZE);
	must(line[length - 1] == '\n');
	for (size_t i = 0; i + 1 < length; i++)
		must(!iscntrl((unsigned char)line[i]));
}

static void
check_attempt(const struct attempt *attempt)
{
	char line[ATTEMPT_LINE_SIZE], again[ATTEMPT_LINE_SIZE];
	size_t length = attempt_render(attempt, line), used;
	struct attempt read;

	check_line(line, length);
	must(attempt_parse(line, length, &read, &used) == 0);
	must(used == length);
	must(read.time_real_ms == attempt->time_real_ms);
	must(read.number == attempt->number);
	must(read.recipient == attempt->recipient);
	must(read.state.outcome == attempt->state.outcome);
	must(read.state.told == attempt->state.told);
	must(strcmp(read.status, attempt->status) == 0);
	/* Rendering removes control characters from the detail, once. */
	must(attempt_render(&read, again) == length);
	must(memcmp(again, line, length) == 0);
}

static bool
is_cut(const char *part)
{
	return strlen(part) == ATTEMPT_PART_SIZE - 1;
}

/* The parts of a detail are unchanged after they are joined and split again,
 * unless one was cut: the rest may then be split elsewhere. */
static void
check_detail(const struct attempt *attempt)
{
	struct attempt copy = *attempt;
	struct attempt_detail detail, again;

	attempt_get_detail(attempt, &detail);
	attempt_set_detail(&copy, detail.host, detail.reason, detail.reply);
	attempt_get_detail(&copy, &again);
	if (is_cut(detail.host) || is_cut(detail.reason) ||
	    (*detail.reason == '\0' && *detail.reply == '\0'))
		return;
	must(strcmp(again.host, detail.host) == 0);
	must(strcmp(again.reason, detail.reason) == 0);
	must(strcmp(again.reply, detail.reply) == 0);
}

/* Read the file as a claim does: skip damaged lines. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(data, size);
	const char *text = copy, *end = copy + size;
	struct unreachable unreachable;
	struct attempt attempt;
	size_t used;
	int r;

	(void)unreachable_parse(text, size, &unreachable); /* must not crash */
	while ((r = attempt_parse(text, (size_t)(end - text), &attempt,
		    &used)) != -EAGAIN) {
		must(r == 0 || r == -EBADMSG);
		must(used > 0 && used <= (size_t)(end - text));
		if (r == 0) {
			check_attempt(&attempt);
			check_detail(&attempt);
		}
		text += used;
	}
	must(memchr(text, '\n', (size_t)(end - text)) == NULL);
	free(copy);
	return 0;
}
