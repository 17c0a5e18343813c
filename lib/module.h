/* SPDX-License-Identifier: ISC */

#ifndef MODULE_H
#define MODULE_H

#include <limits.h>
#include <stddef.h>

/* A part of a program that few runs need is a module, loaded when it is needed.
 * Both must be of one build: each module exports its version. */

/* Find the path of a module of ours. It need not exist. */
void module_find(const char *file_name, char ret_path[PATH_MAX]);

/*
 * Load a module of ours and find what it exports: a struct that begins with
 * "const char *version", which must be the version of this program.
 *
 * ret_error	of error_size octets; set if NULL is returned.
 */
const void *module_load(const char *file_name, const char *symbol,
    char *ret_error, size_t error_size);

#endif
