/* SPDX-License-Identifier: ISC */

#ifndef ACCEPT_H
#define ACCEPT_H

/* Qualities are counted in thousandths: q=0.5 is 500. */
#define ACCEPT_QUALITY_MAX 1000

/*
 * How much a client wants a media type: 0, not at all, to ACCEPT_QUALITY_MAX.
 *
 * accept	the request's Accept field; empty: it wants anything.
 * type		such as "text/plain".
 * version	the value of the type's version parameter; NULL: it has none.
 */
int accept_quality(const char *accept, const char *type, const char *version);

#endif
