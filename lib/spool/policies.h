/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_POLICIES_H
#define SPOOL_POLICIES_H

#include <sys/types.h>

#include "lib/spool/spool.h"

/* Where a domain's TLS policy is kept from one delivery to another: a file that
 * is named by a token of the domain, not by the domain (promise P6). */
struct policy_place {
	int folder_fd; /* the caller's: to be closed */
	char name[TOKEN_SIZE];
};

/* Find the place for a domain. Returns 0 or a negative errno. */
int policies_open(struct spool *spool, const char *domain,
    struct policy_place *ret_place);

/* Read what is kept there. Returns how many octets, or a negative errno:
 * -ENOENT nothing is, -EMSGSIZE more than size. */
ssize_t policies_read(const struct policy_place *place, void *buffer,
    size_t size);

/* Keep octets there in place of what was: whoever reads gets the one or the
 * other. Returns 0 or a negative errno. */
int policies_write(const struct policy_place *place, const void *data,
    size_t size_bytes);

#endif
