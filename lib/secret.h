/* SPDX-License-Identifier: ISC */

#ifndef SECRET_H
#define SECRET_H

#include <limits.h>
#include <stddef.h>

#define SECRET_ERROR_SIZE 256

/*
 * Read a file that holds a secret. Files that everybody on this host may read
 * or write are refused.
 *
 * name		a path, or without a slash the name of one of the service's
 *		credentials (systemd.exec(5)).
 * ret_text	up to size octets without a NUL; the caller wipes them.
 *
 * Returns 0, or -ENOKEY with ret_error set to the reason.
 */
int secret_read(const char *name, char *ret_text, size_t size,
    size_t *ret_length, char ret_error[SECRET_ERROR_SIZE]);

#endif
