/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_FAULT_H
#define SPOOL_FAULT_H

#include <stdint.h>

#include "lib/spool/spool.h"

#define FAULT_SIZE 1024

/* The programs that leave word of a fault. */
enum fault_program {
	FAULT_SESSION,
	FAULT_DELIVER,
};

/*
 * Leave word of why a program cannot work until somebody changes a setting, for
 * smtp-health to tell. Nothing is left where there is no spool yet.
 *
 * text		one line; control characters become "?".
 *
 * Returns 0 or a negative errno. The program reports the fault itself in any
 * case: this may fail.
 */
int fault_leave(const char *spool_path, enum fault_program program,
    const char *text);

/* The program works: remove what was left. Returns 0 or a negative errno. */
int fault_clear(struct spool *spool, enum fault_program program);

/*
 * Read what a program has left.
 *
 * ret_text	one line, without control characters.
 * ret_real_ms	when it was left last, since 1970.
 *
 * Returns 0, or a negative errno: -ENOENT there is no fault.
 */
int fault_read(struct spool *spool, enum fault_program program,
    char ret_text[FAULT_SIZE], int64_t *ret_real_ms);

#endif
