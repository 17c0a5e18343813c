/* SPDX-License-Identifier: ISC */

#ifndef SECRET_H
#define SECRET_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define SECRET_ERROR_SIZE 256

/*
 * Find a file that holds a secret, which a program reads later.
 *
 * name		a path, or without a slash the name of one of the service's
 *		credentials (systemd.exec(5)): a file in the folder that
 *		CREDENTIALS_DIRECTORY names.
 * ret_path	the path. A credential exists; any other file may be missing.
 *
 * Returns 0, or -ENOKEY with ret_error set to the reason.
 */
int secret_find(const char *name, char ret_path[PATH_MAX],
    char ret_error[SECRET_ERROR_SIZE]);

/* Whether a path is that of a credential. */
bool secret_is_credential(const char *path);

/*
 * Read a file that holds a secret. Files that everybody on this host may read
 * or write are refused.
 *
 * name		of the file, as for secret_find().
 * ret_text	up to size octets without a NUL; the caller wipes them.
 *
 * Returns 0, or -ENOKEY with ret_error set to the reason.
 */
int secret_read(const char *name, char *ret_text, size_t size,
    size_t *ret_length, char ret_error[SECRET_ERROR_SIZE]);

#endif
