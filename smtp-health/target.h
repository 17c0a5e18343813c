/* SPDX-License-Identifier: ISC */

#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>

#define TARGET_AUTHORITY_SIZE 512

/*
 * Split a request's target (RFC 9112 section 3.2).
 *
 * ret_authority	that of the absolute form, http://authority/path, which
 *			has precedence over the Host field; otherwise "". One
 *			that is too long is cut.
 *
 * Returns the path, a part of target.
 */
const char *target_split(const char *target,
    char ret_authority[TARGET_AUTHORITY_SIZE]);

/*
 * Whether an authority, such as "localhost:8080", is one of this host: an IP
 * address, localhost or one of the names, whatever the port. A web page that
 * has its own name resolve to this host (DNS rebinding) has none of these.
 *
 * names	NULL at the end.
 */
bool target_is_ours(const char *authority, const char *const names[]);

#endif
