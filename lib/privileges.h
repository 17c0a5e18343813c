/* SPDX-License-Identifier: ISC */

#ifndef PRIVILEGES_H
#define PRIVILEGES_H

/*
 * Become the owner of a path, if this process is root's: what it makes is then
 * usable by that owner. Changes the user, the group and the groups for good.
 *
 * Does nothing if the process is not root's, if the path is root's, or if there
 * is no such path: whether one can be made or opened is for the caller to see.
 *
 * Returns 0 or a negative errno.
 */
int privileges_become_owner(const char *path);

/*
 * Likewise, until privileges_act_as_self(): what this process opens meanwhile
 * is what the owner may open. For a program that is run by hand, and before
 * anything from outside this host is handled.
 */
int privileges_act_as_owner(const char *path);
void privileges_act_as_self(void);

/* Open a file as the user that started this process, even while it acts as
 * another. Returns a descriptor, or a negative errno. */
int privileges_open_as_self(const char *path, int flags);

#endif
