/* SPDX-License-Identifier: ISC */

#ifndef LOG_OF_FUZZ_H
#define LOG_OF_FUZZ_H

/*
 * Check the lines of the audit trail instead of writing them: each must be a
 * single line of text without control characters. (Targets that use this module
 * are linked with --wrap for write(), which lib/audit.c calls.)
 */

/* Log all events, with addresses. */
void log_open(const char *program);

/* Return the number of lines logged so far. */
unsigned long log_lines(void);

#endif
