/* SPDX-License-Identifier: ISC */

#ifndef PATHSTATE_H
#define PATHSTATE_H

#include <stdint.h>

/*
 * Return a number for what paths lead to now. It changes when a file is made,
 * replaced, removed, or given to another owner. Rules of a sandbox hold for the
 * files that were there when they were made.
 *
 * identity	the number of the paths before it; 0 for the first.
 */
uint64_t pathstate_add(uint64_t identity, const char *path);

/* The same for a file that has been read: the number changes when its contents
 * are written in place, too. */
uint64_t pathstate_add_contents(uint64_t identity, const char *path);

#endif
