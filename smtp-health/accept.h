/* SPDX-License-Identifier: ISC */

#ifndef ACCEPT_H
#define ACCEPT_H

/* Qualities are counted in thousandths: q=0.5 is 500. */
#define ACCEPT_QUALITY_MAX 1000

/*
 * How much a client prefers a media type: from 0, not acceptable, to
 * ACCEPT_QUALITY_MAX.
 *
 * accept	the request's Accept field; empty: it accepts anything.
 * type		such as "text/plain".
 * version	the value of the type's version parameter; NULL: no version.
 */
int accept_quality(const char *accept, const char *type, const char *version);

#endif
