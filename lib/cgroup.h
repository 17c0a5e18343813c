/* SPDX-License-Identifier: ISC */

#ifndef CGROUP_H
#define CGROUP_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

/* With a NUL: systemd's UNIT_NAME_MAX. */
#define CGROUP_UNIT_SIZE 256

/*
 * Get the system unit that a control group belongs to, by the rules of
 * sd_pid_get_unit(3): the first component that is no slice. A service manager
 * of a user is one unit, user@1000.service, with all that it runs.
 *
 * path	of the control group from the root of the tree, such as
 *	"/system.slice/x.service".
 *
 * Returns whether there is one. Its name has printable ASCII only and no
 * blanks; ret_unit is set on success only.
 */
bool cgroup_get_unit(const char *path, char ret_unit[CGROUP_UNIT_SIZE]);

/* Whether that is the whole name of a unit that can have processes. */
bool is_cgroup_unit(const char *name);

/*
 * Likewise for the text of /proc/PID/cgroup (cgroups(7)), which ends in a NUL.
 */
bool cgroup_get_unit_of_process(const char *text,
    char ret_unit[CGROUP_UNIT_SIZE]);

/* Where the tree of control groups is (cgroups(7), version 2). */
const char *cgroup_root(void);

/*
 * Likewise for an id: the inode number of the control group's folder. The tree
 * is searched, first where processes of this user usually are, with 2000 system
 * calls at most.
 *
 * root	the tree: cgroup_root(), except in tests.
 */
bool cgroup_find_unit(const char *root, uint64_t id, uid_t uid,
    char ret_unit[CGROUP_UNIT_SIZE]);

#endif
