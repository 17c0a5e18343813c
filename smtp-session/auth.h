/* SPDX-License-Identifier: ISC */

#ifndef AUTH_H
#define AUTH_H

#include "smtp-session/reply.h"
#include "smtp-session/session.h"

/* RFC 4954 section 4: what a client sends in an exchange, with the CRLF. */
#define AUTH_LINE_MAX 12288

/* Handler of the verb AUTH (RFC 4954), as struct verb says. */
struct reply cmd_auth(struct session *session, char *argument);

/* Take the client's answer to a challenge, in the state S_AUTH. The exchange
 * ends unless the reply is another challenge. */
struct reply auth_answer(struct session *session, const char *text);

#endif
