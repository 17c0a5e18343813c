/* SPDX-License-Identifier: ISC */

#ifndef SECRET_H
#define SECRET_H

#include <limits.h>
#include <stddef.h>

#define SECRET_ERROR_SIZE 256

/*
 * Read a file that holds a secret, which not everybody on this host may read or
 * write.
 *
 * name		a path; without a slash the name of one of the service's
 *		credentials (systemd.exec(5)).
 * ret_text	up to size octets; the caller wipes them. There is no NUL.
 *
 * Returns 0, or -ENOKEY with ret_error set to the reason, in words.
 */
int secret_read(const char *name, char *ret_text, size_t size,
    size_t *ret_length, char ret_error[SECRET_ERROR_SIZE]);

#endif
