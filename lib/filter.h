/* SPDX-License-Identifier: ISC */

#ifndef FILTER_H
#define FILTER_H

#include "lib/sandbox.h"

/*
 * Restrict this process, and all that it starts, to the system calls of a role;
 * others fail with ENOSYS. Filters add up: a call that one refuses stays
 * refused. PR_SET_NO_NEW_PRIVS of prctl(2) must be set.
 *
 * Returns 0, -ENOSYS if the kernel has no filters or the table is not for this
 * architecture, or another negative errno.
 */
int filter_install(enum sandbox_role role);

#endif
