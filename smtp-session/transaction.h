/* SPDX-License-Identifier: ISC */

#ifndef SESSION_TRANSACTION_H
#define SESSION_TRANSACTION_H

#include "smtp-session/reply.h"
#include "smtp-session/session.h"

/* Handlers of the verbs of a mail transaction (RFC 5321 section 3.3). */
struct reply cmd_mail(struct session *session, char *argument);
struct reply cmd_rcpt(struct session *session, char *argument);
struct reply cmd_data(struct session *session, char *argument);

#endif
