/* SPDX-License-Identifier: ISC */

/*
 * session.c - the state of one SMTP session, from its first event in the audit
 * trail to its last.
 *
 * dialogue.c reads the commands, verb.c and transaction.c answer them.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/text.h"
#include "smtp-session/sandbox.h"
#include "smtp-session/session.h"

struct audit_record
session_new_record(const struct session *session, enum audit_event event)
{
	return (struct audit_record){
		.event = event,
		.message = text_or_null(session->envelope.id),
		.session = session->id,
		.peer = session->peer->text,
		.submitter = &session->peer->submitter,
	};
}

void
session_log_trouble(const struct session *session, const char *what, int error)
{
	struct audit_record record = session_new_record(session, AUDIT_TROUBLE);

	audit_write_trouble(&record, what, error);
}

void
session_reset_transaction(struct session *session)
{
	envelope_clear(&session->envelope);
	if (session->state != S_CONNECTED)
		session->state = S_GREETED;
}

/* Open the files that the session uses, then close the sandbox. */
static void
enter_sandbox(struct session *session)
{
	const char *trouble;
	struct sandbox sandbox;
	int r;

	sandbox_begin(&sandbox, SANDBOX_SESSION);
	r = storage_open(session->settings, &sandbox, &session->storage,
	    &trouble);
	if (r < 0)
		session_log_trouble(session, trouble, r);
	sandbox_enter_session(session->settings, &sandbox);
}

int
session_open(struct session *session, struct stream *stream,
    const struct session_settings *settings, const struct peer *peer)
{
	struct audit_record record;
	int r;

	*session = (struct session){
		.stream = stream,
		.settings = settings,
		.peer = peer,
		.state = S_CONNECTED,
	};
	if ((r = id_make(session->id)) < 0)
		return r;
	record = session_new_record(session, AUDIT_SESSION_OPENED);
	audit_write(&record);
	enter_sandbox(session);
	return 0;
}

static void
log_newlines(const struct session *session)
{
	static const struct {
		unsigned newline;
		const char *text;
	} table[] = {
		{ NEWLINE_COMMAND, "commands that do not end in CRLF" },
		{ NEWLINE_BARE_LF, "bare LF in a message" },
		{ NEWLINE_BARE_CR, "bare CR in a message" },
	};
	struct audit_record record =
	    session_new_record(session, AUDIT_NEWLINES_NORMALIZED);
	char text[128] = "";

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if ((session->newlines & table[i].newline) == 0)
			continue;
		if (*text != '\0')
			(void)strlcat(text, ", ", sizeof(text));
		(void)strlcat(text, table[i].text, sizeof(text));
	}
	record.message = NULL;
	record.reason = text;
	audit_write(&record);
}

void
session_close(struct session *session)
{
	struct audit_record record =
	    session_new_record(session, AUDIT_SESSION_CLOSED);

	if (session->newlines != 0)
		log_newlines(session);
	record.message = NULL;
	audit_write(&record);
	envelope_clear(&session->envelope);
	storage_close(&session->storage);
}
