/* SPDX-License-Identifier: ISC */

/*
 * log.c - check each line of the audit trail.
 */

#include "config.h"

#include <unistd.h>

#include "lib/audit.h"
#include "lib/utf8.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/log.h"

#define LINE_SIZE 8192

static unsigned long lines;

ssize_t __real_write(int fd, const void *data, size_t size_bytes);
ssize_t __wrap_write(int fd, const void *data, size_t size_bytes);

void
log_open(const char *program)
{
	/* Do not write to the journal, even if it is our stderr. */
	must(unsetenv("JOURNAL_STREAM") == 0);
	audit_open(program, true);
}

unsigned long
log_lines(void)
{
	return lines;
}

/* The control characters U+0080 to U+009F are not text either. */
static size_t
text_length(const char *p)
{
	size_t length = utf8_length(p);

	if (length == 2 && (unsigned char)p[0] == 0xc2 &&
	    (unsigned char)p[1] < 0xa0)
		return 0;
	return length > 0 ? length : *p >= ' ' && *p <= '~';
}

static void
check_line(const char *text, size_t length)
{
	const char *p = text;

	must(length < LINE_SIZE);
	for (size_t n; p < text + length - 1 && (n = text_length(p)) > 0;
	     p += n)
		;
	must(p == text + length - 1 && *p == '\n');
	lines++;
}

ssize_t
__wrap_write(int fd, const void *data, size_t size_bytes)
{
	char *line;

	if (fd != STDERR_FILENO)
		return __real_write(fd, data, size_bytes);
	/* Check a copy that ends in NUL. */
	must((line = strndup(data, size_bytes)) != NULL);
	must(size_bytes > 0 && strlen(line) == size_bytes);
	check_line(line, size_bytes);
	free(line);
	return (ssize_t)size_bytes;
}
