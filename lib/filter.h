/* SPDX-License-Identifier: ISC */

#ifndef FILTER_H
#define FILTER_H

#include "lib/sandbox.h"

/*
 * Leave this process, and whatever it starts, only the system calls of a role;
 * all others fail with ENOSYS. Filters add up: what one refuses stays refused.
 * The process must have given up new privileges (prctl(2) PR_SET_NO_NEW_PRIVS).
 *
 * Returns 0, -ENOSYS where the kernel has no filters or the table does not fit
 * this machine's architecture, or another negative errno.
 */
int filter_install(enum sandbox_role role);

#endif
