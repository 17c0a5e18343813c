/* SPDX-License-Identifier: ISC */

#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>

#include "lib/audit.h"
#include "lib/id.h"
#include "lib/spool/envelope.h"
#include "lib/stream.h"
#include "smtp-session/command.h"
#include "smtp-session/peer.h"
#include "smtp-session/settings.h"
#include "smtp-session/storage.h"

#define SESSION_TEXT_SIZE 1024

/*
 * What a client may do next.
 *
 *	CONNECTED --HELO, EHLO--> GREETED --MAIL--> MAIL --RCPT--> RCPT
 *	    ^                      |  ^              |              |
 *	    +------STARTTLS--------+  +--RSET, EHLO--+---RSET, -----+
 *	                                                EHLO, DATA
 *
 *	GREETED --AUTH--> AUTH --the client's last answer--> GREETED
 */
enum session_state {
	S_CONNECTED = 1,
	S_GREETED = 2,
	S_MAIL = 4,
	S_RCPT = 8,
	S_AUTH = 16, /* an answer follows, not a command */
	S_ANY = S_CONNECTED | S_GREETED | S_MAIL | S_RCPT,
};

/* What a client sent in place of CRLF, and was normalized. */
enum session_newline {
	NEWLINE_COMMAND = 1, /* commands that end otherwise */
	NEWLINE_BARE_LF = 2, /* in a message */
	NEWLINE_BARE_CR = 4,
};

struct session {
	struct stream *stream;
	const struct session_settings *settings;
	const struct peer *peer;
	struct storage storage;
	enum session_state state;
	bool is_esmtp; /* the client sent EHLO, not HELO */
	bool is_tls;
	bool is_authenticated; /* AUTH was accepted; that gives no rights */
	unsigned auth_answers; /* that are still to come */
	unsigned newlines; /* enum session_newline, or-ed */
	int errors; /* refusals since the last accepted message */
	struct envelope envelope; /* of the transaction; its id names it */
	char id[ID_SIZE];
	char client_name[COMMAND_NAME_SIZE];
	char text[SESSION_TEXT_SIZE]; /* of a reply that is not a constant */
};

/*
 * Open a session: make its id, open the spool, log the event and enter the
 * sandbox. Without a spool the session is open all the same; MAIL is refused.
 *
 * stream	the client's; stays the caller's, as do settings and peer.
 *
 * Returns 0, or a negative errno if there is no id for it; then the session
 * must not be closed.
 */
int session_open(struct session *session, struct stream *stream,
    const struct session_settings *settings, const struct peer *peer);
void session_close(struct session *session);

/* End the transaction, if there is one. */
void session_reset_transaction(struct session *session);

/* Begin a record for the audit trail: the event, the session, its client, and
 * the message of the transaction. */
struct audit_record session_new_record(const struct session *session,
    enum audit_event event);

/* Log trouble on this host; error is a negative errno. */
void session_log_trouble(const struct session *session, const char *what,
    int error);

#endif
