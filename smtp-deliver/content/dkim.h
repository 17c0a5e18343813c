/* SPDX-License-Identifier: ISC */

#ifndef DKIM_H
#define DKIM_H

#include <stddef.h>
#include <stdint.h>

#include "smtp-deliver/settings.h"
#include "smtp-deliver/content/content.h"

#define DKIM_FIELDS_SIZE 16384
#define DKIM_ERROR_SIZE 512

/*
 * Signatures of messages (RFC 6376, RFC 8301, RFC 8463). Keys are read by
 * dkim_open(), which is called before the sandbox is entered; child processes
 * inherit them.
 *
 * ret_dkim	NULL where no key is configured.
 *
 * Returns 0, or -ENOKEY with ret_error naming the variable, its value and what
 * was expected.
 */
struct dkim;

int dkim_open(const struct deliver_settings *settings, struct dkim **ret_dkim,
    char ret_error[DKIM_ERROR_SIZE]);
void dkim_close(struct dkim *dkim); /* NULL is fine */

/*
 * Sign a message as it is sent. It is read once, and the fields that are signed
 * a second time.
 *
 * dkim		NULL: nothing is signed.
 * now_sec	since the epoch, for t=.
 * ret_fields	DKIM-Signature fields to send before the message,
 *		each with its CRLF, and a NUL; "" if it is not signed.
 *
 * Returns 0, or a negative errno if the message cannot be read or the key not
 * be used: nothing is to be sent then.
 */
int dkim_sign(const struct dkim *dkim, const struct content *content,
    int64_t now_sec, char ret_fields[DKIM_FIELDS_SIZE]);

#endif
