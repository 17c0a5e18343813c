/* SPDX-License-Identifier: ISC */

#ifndef MODULE_H
#define MODULE_H

#include <limits.h>

/* A part of a program that few of its runs need is a module, which is loaded
 * then. It is of the same build: see the version that each one exports. */

/* Find where a module of ours is, which need not be there. */
void module_find(const char *file_name, char ret_path[PATH_MAX]);

/* Load it. Returns what dlopen(3) does. */
void *module_open(const char *file_name);

#endif
