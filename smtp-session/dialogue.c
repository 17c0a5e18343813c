/* SPDX-License-Identifier: ISC */

/*
 * dialogue.c - the server's side of an SMTP dialogue: read a command, have it
 * answered, send the reply (RFC 5321 section 3, RFC 2920 pipelining).
 *
 * The verbs and their handlers are rows of a table in verb.c. Only this file
 * sends, logs and counts replies.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/text.h"
#include "smtp-session/auth.h"
#include "smtp-session/command.h"
#include "smtp-session/dialogue.h"
#include "smtp-session/reply.h"
#include "smtp-session/session.h"
#include "smtp-session/stop.h"
#include "smtp-session/transaction.h"
#include "smtp-session/verb.h"

#define ERRORS_MAX 20
#define TLS_HANDSHAKE 0x16 /* RFC 8446 section 5.1 */

/* What came instead of a command line. */
enum line_error {
	LINE_TOO_LONG,
	LINE_ANSWER_TOO_LONG, /* in an AUTH exchange */
	LINE_BARE_NEWLINE,
	LINE_NUL,
	LINE_TLS, /* a handshake without STARTTLS */
	LINE_TIMEOUT,
	LINE_END, /* of the input, or it cannot be read */
};

static const struct reply reply_stopping = { 421, "4.3.2",
	"shutting down, closing", true };

/* ---- refusals ------------------------------------------------------------ */

/* verb is NULL if there is none; message is "" outside of a transaction. */
static void
log_refusal(const struct session *session, const struct verb *verb,
    const char *message, const struct reply *reply)
{
	bool is_message = verb != NULL && verb->handler == cmd_data;
	struct audit_record record = session_new_record(session,
	    is_message ? AUDIT_MESSAGE_REFUSED : AUDIT_COMMAND_REFUSED);
	char text[SESSION_TEXT_SIZE];

	reply_format(reply, text, sizeof(text));
	record.message = text_or_null(message);
	record.reply = text;
	record.reason = verb != NULL ? verb->name : NULL;
	audit_write(&record);
}

static struct reply
line_error_reply(enum line_error error)
{
	switch (error) {
	case LINE_TOO_LONG:
		return reply_make(500, "5.5.2", "line too long");
	case LINE_ANSWER_TOO_LONG:
		return reply_make(500, "5.5.6", "line too long");
	case LINE_BARE_NEWLINE:
		return reply_make(500, "5.5.2",
		    "lines must end in CRLF and contain no other CR or LF");
	case LINE_NUL:
		return reply_make(500, "5.5.2", "command contains NUL");
	case LINE_TLS:
		return reply_make_last(421, "4.7.0",
		    "TLS needs STARTTLS first, closing");
	case LINE_TIMEOUT:
		return reply_timeout;
	case LINE_END:
		break;
	}
	return stop_is_due() ? reply_stopping : reply_hang_up;
}

static struct reply
refuse_line(const struct session *session, enum line_error error)
{
	struct reply reply = line_error_reply(error);

	if (is_error(&reply))
		log_refusal(session, NULL, "", &reply);
	return reply;
}

/* End the session of a client that gets nothing right. */
static void
count_error(struct session *session, struct reply *reply)
{
	if (!is_error(reply) || reply->is_last || reply->is_excused ||
	    ++session->errors < ERRORS_MAX)
		return;
	*reply = reply_make_last(421, "4.7.0", "too many errors, closing");
	log_refusal(session, NULL, "", reply);
}

/* ---- a command ----------------------------------------------------------- */

static struct reply
run_verb(struct session *session, const struct verb *verb, char *argument)
{
	if (verb == NULL)
		return reply_make(500, "5.5.1", "unknown command");
	if ((session->state & verb->states) == 0)
		return reply_make(503, "5.5.1", "bad sequence of commands");
	return verb->handler(session, argument);
}

static struct reply
handle_line(struct session *session, char *line, size_t length)
{
	char message[ID_SIZE], *argument;
	const struct verb *verb;
	struct reply reply;
	const char *name;

	if (memchr(line, '\0', length) != NULL)
		return refuse_line(session, LINE_NUL);
	command_split(line, &name, &argument);
	verb = verb_find(name);
	if (length >= COMMAND_LINE_MAX &&
	    (verb == NULL || verb->handler != cmd_auth))
		return refuse_line(session, LINE_TOO_LONG);
	/* The handler may end the transaction. */
	memcpy(message, session->envelope.id, sizeof(message));
	reply = run_verb(session, verb, argument);
	if (is_error(&reply))
		log_refusal(session, verb, message, &reply);
	return reply;
}

/* Take an answer of the client in an AUTH exchange. It must be in no log. */
static struct reply
handle_answer(struct session *session, char *line, size_t length)
{
	struct reply reply;

	if (memchr(line, '\0', length) != NULL)
		return refuse_line(session, LINE_NUL);
	command_trim(line);
	reply = auth_answer(session, line);
	if (is_error(&reply))
		log_refusal(session, verb_find("AUTH"), "", &reply);
	return reply;
}

/* ---- a line -------------------------------------------------------------- */

/* Get a line, whose end must be CRLF unless newlines are normalized. */
static ssize_t
get_line(struct session *session, int64_t deadline_mono_ms,
    char line[AUTH_LINE_MAX])
{
	size_t size = session->settings->auth == AUTH_NONE ? COMMAND_LINE_MAX
							   : AUTH_LINE_MAX;
	bool is_crlf;
	ssize_t n;

	if (session->settings->bare_newline == BARE_NEWLINE_REJECT)
		return stream_get_line(session->stream, line, size,
		    deadline_mono_ms);
	n = stream_get_any_line(session->stream, line, size, deadline_mono_ms,
	    &is_crlf);
	if (n >= 0 && !is_crlf)
		session->newlines |= NEWLINE_COMMAND;
	return n;
}

/* Read a command line. No command begins like TLS does; the end of such a line
 * is not waited for. Returns whether there is a line. */
static bool
read_line(struct session *session, int64_t deadline_mono_ms,
    char line[AUTH_LINE_MAX], size_t *ret_length, enum line_error *ret_error)
{
	const char *input;
	ssize_t n = stream_peek(session->stream, &input, deadline_mono_ms);

	if (n > 0 && *input == TLS_HANDSHAKE) {
		*ret_error = LINE_TLS;
		return false;
	}
	if (n > 0)
		n = get_line(session, deadline_mono_ms, line);
	switch (n) {
	case -EMSGSIZE:
		*ret_error = session->state == S_AUTH ? LINE_ANSWER_TOO_LONG
						      : LINE_TOO_LONG;
		return false;
	case -EBADMSG:
		*ret_error = LINE_BARE_NEWLINE;
		return false;
	case -ETIMEDOUT:
		*ret_error = LINE_TIMEOUT;
		return false;
	default:
		*ret_error = LINE_END;
		*ret_length = (size_t)n;
		return n >= 0;
	}
}

/* Wait for a command line. Between transactions SIGTERM ends the wait. */
static bool
wait_for_line(struct session *session, char line[AUTH_LINE_MAX],
    size_t *ret_length, enum line_error *ret_error)
{
	bool is_between =
	    (session->state & (S_CONNECTED | S_GREETED | S_AUTH)) != 0;
	int64_t deadline_mono_ms = clock_mono_ms() +
	    (int64_t)session->settings->command_timeout_sec * 1000;
	bool has_line = false;

	*ret_error = LINE_END;
	if (is_between)
		stop_begin_wait();
	if (!is_between || !stop_is_due())
		has_line = read_line(session, deadline_mono_ms, line,
		    ret_length, ret_error);
	stop_end_wait();
	return has_line;
}

static struct reply
next_reply(struct session *session)
{
	char line[AUTH_LINE_MAX];
	enum line_error error;
	struct reply reply;
	size_t length;
	bool is_answer = session->state == S_AUTH;

	if (!wait_for_line(session, line, &length, &error))
		reply = refuse_line(session, error);
	else if (is_answer)
		reply = handle_answer(session, line, length);
	else
		reply = handle_line(session, line, length);
	if (is_answer && is_error(&reply))
		session->state = S_GREETED;
	return reply;
}

static void
answer_commands(struct session *session)
{
	struct reply reply;

	(void)snprintf(session->text, sizeof(session->text), "%s %s",
	    session->settings->hostname, session->settings->banner);
	reply = reply_make(220, NULL, session->text);
	while (reply.code == 0 || reply_put(session->stream, &reply) == 0) {
		if (reply.is_last)
			break;
		reply = next_reply(session);
		count_error(session, &reply);
	}
	(void)stream_flush(session->stream);
}

void
dialogue_hold(struct stream *stream, const struct session_settings *settings,
    const struct peer *peer)
{
	struct session session;

	if (session_open(&session, stream, settings, peer) < 0)
		return;
	answer_commands(&session);
	session_close(&session);
}
