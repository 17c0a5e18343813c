/* SPDX-License-Identifier: ISC */

/*
 * usage.c - --help and --version, alike in all programs.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/usage.h"

/* Returns 1, or the negative errno of standard output. */
static int
print(const char *program, const char *text)
{
	errno = 0;
	if (printf("%s%s", program, text) < 0 || fflush(stdout) == EOF)
		return errno != 0 ? -errno : -EIO;
	return 1;
}

int
usage_answer(int argc, char *const argv[], const char *program,
    const char *usage)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return print("", usage);
		if (strcmp(argv[i], "--version") == 0)
			return print(program, " (" PACKAGE_STRING ")\n");
	}
	return 0;
}
