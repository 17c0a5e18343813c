/* SPDX-License-Identifier: ISC */

#ifndef VERB_H
#define VERB_H

#include "smtp-session/reply.h"
#include "smtp-session/session.h"

/* A row of the table of commands (RFC 5321 section 4.1.1). */
struct verb {
	const char *name;
	unsigned states; /* in which it is legal: enum session_state, or-ed */
	/* The argument may be cut into pieces; "" is none. */
	struct reply (*handler)(struct session *session, char *argument);
};

/* The row of a verb, in whatever case it is written; NULL if it is unknown. */
const struct verb *verb_find(const char *name);

#endif
