/* SPDX-License-Identifier: ISC */

#ifndef PATHSTATE_H
#define PATHSTATE_H

#include <stdint.h>

/*
 * What paths stand for now, in a number that becomes another one when what is
 * there is made, replaced, given to somebody else, or goes: rules of a wall hold
 * for what was there when they were made.
 *
 * identity	of the paths before it; 0 for the first.
 */
uint64_t pathstate_add(uint64_t identity, const char *path);

#endif
