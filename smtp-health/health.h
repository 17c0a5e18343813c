/* SPDX-License-Identifier: ISC */

#ifndef HEALTH_H
#define HEALTH_H

#include <limits.h>

/* Room for the spool's path and the reason. */
#define HEALTH_REASON_SIZE (PATH_MAX + 1280)

/*
 * Check that mail can be accepted and is delivered.
 *
 * free_space_mib	SMTP_FREE_SPACE
 *
 * Returns 0, or a negative errno with ret_reason set: one line for people,
 * which names the spool.
 */
int health_check(const char *spool_path, int free_space_mib,
    char ret_reason[HEALTH_REASON_SIZE]);

#endif
