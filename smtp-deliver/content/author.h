/* SPDX-License-Identifier: ISC */

#ifndef AUTHOR_H
#define AUTHOR_H

#include "lib/address.h"

/*
 * The domain of the one author that a From field names.
 *
 * body		of the field, after the colon, on one line.
 * ret_domain	as it is written there.
 *
 * Returns 0, or -EBADMSG if there is not one mailbox, or no domain in it.
 */
int author_find_domain(const char *body,
    char ret_domain[ADDRESS_DOMAIN_MAX + 1]);

#endif
