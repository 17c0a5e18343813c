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

#endif
