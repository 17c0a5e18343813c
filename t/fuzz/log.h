/* SPDX-License-Identifier: ISC */

#ifndef LOG_OF_FUZZ_H
#define LOG_OF_FUZZ_H

/*
 * Look at what the audit trail writes, instead of writing it: a line must be
 * one line, of text without control characters. (Targets that use it are
 * linked with --wrap for write(), which lib/audit.c writes with.)
 */

/* Have everything logged, addresses too. */
void log_open(const char *program);

/* How many lines have been logged. */
unsigned long log_lines(void);

#endif
