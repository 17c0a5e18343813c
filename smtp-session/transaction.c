/* SPDX-License-Identifier: ISC */

/*
 * transaction.c - MAIL, RCPT and DATA: one message into the spool (RFC 5321
 * sections 3.3 and 4.1.1).
 *
 * incoming.c receives what follows DATA; the spool stores it.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/counters.h"
#include "lib/spool/spool.h"
#include "smtp-session/command.h"
#include "smtp-session/incoming.h"
#include "smtp-session/transaction.h"

/* The reply to an argument that is not what MAIL or RCPT takes; of those that
 * concern the path, the codes and what was expected are the verb's. */
static struct reply
argument_reply(enum command_result result, int utf8_code,
    const char *path_status, const char *expected)
{
	switch (result) {
	case COMMAND_BAD_ARGUMENT:
		return reply_make(501, "5.5.4", expected);
	case COMMAND_LONG_PATH:
		return reply_make(501, path_status, "path too long");
	case COMMAND_NEEDS_SMTPUTF8:
		return reply_make(utf8_code, "5.6.7",
		    "UTF-8 in an address needs SMTPUTF8");
	case COMMAND_UNKNOWN_PARAMETER:
		return reply_make(555, "5.5.4", "unknown parameter");
	case COMMAND_BAD_PARAMETER:
		return reply_make(501, "5.5.4", "bad parameter value");
	case COMMAND_OK:
	case COMMAND_BAD_PATH:
		break;
	}
	return reply_make(501, path_status, "bad address syntax");
}

/* Begin a transaction: an id, and the envelope's first half. */
static int
begin_envelope(struct session *session, const struct mail_arguments *mail)
{
	struct envelope *envelope = &session->envelope;
	int r;

	if ((r = id_make(envelope->id)) == 0 &&
	    (r = envelope_set_sender(envelope, mail->sender.text)) == 0)
		r = envelope_set_envid(envelope, mail->envid);
	if (r < 0) {
		envelope_clear(envelope);
		return r;
	}
	envelope->is_8bitmime = mail->is_8bitmime;
	envelope->is_smtputf8 = mail->is_smtputf8;
	envelope->is_requiretls = mail->is_requiretls;
	envelope->dsn_return = mail->dsn_return;
	envelope->submitter = session->peer->submitter;
	return 0;
}

/* Give an address without a domain that of this host's mail. */
static enum command_result
qualify(const struct session *session, struct address *address)
{
	if (*address->text == '\0' || *address->domain != '\0' ||
	    address_qualify(address, session->settings->origin) == 0)
		return COMMAND_OK;
	return COMMAND_LONG_PATH;
}

struct reply
cmd_mail(struct session *session, char *argument)
{
	enum command_result result;
	struct mail_arguments mail;
	int r;

	result = command_parse_mail(argument, &mail);
	if (result == COMMAND_OK)
		result = qualify(session, &mail.sender);
	if (result != COMMAND_OK)
		return argument_reply(result, 550, "5.1.7",
		    "expected FROM:<reverse-path>");
	/* Those who may give it are trusted as little as others: ignored. */
	if (mail.has_auth && session->settings->auth == AUTH_NONE)
		return reply_make(555, "5.5.4", "unknown parameter");
	if (mail.is_requiretls && !(session->is_tls && session->is_esmtp))
		return reply_make(555, "5.5.4",
		    "REQUIRETLS needs STARTTLS and EHLO first");
	if (mail.size_bytes > (uint64_t)session->settings->message_size_bytes)
		return reply_make(552, "5.3.4", "message too large");
	if (session->storage.spool == NULL)
		return reply_spool_error(session->storage.error);
	r = spool_check_space(session->storage.spool, mail.size_bytes);
	if (r == 0)
		r = begin_envelope(session, &mail);
	if (r < 0)
		return reply_spool_error(r);
	session->state = S_MAIL;
	return reply_make(250, "2.1.0", "sender ok");
}

static void
log_recipient(const struct session *session, const char *address)
{
	struct audit_record record =
	    session_new_record(session, AUDIT_RECIPIENT_ACCEPTED);
	char token[TOKEN_SIZE];

	if (!session->settings->is_debug ||
	    spool_token(session->storage.spool, address, token) < 0)
		return;
	record.recipient = token;
	record.address = address;
	audit_write(&record);
}

/* Clients that send all their recipients at once hear this many times (RFC 5321
 * section 4.5.3.1.10). */
static const struct reply too_many_recipients = { 452, "4.5.3",
	"too many recipients, send the rest later", .is_excused = true };

struct reply
cmd_rcpt(struct session *session, char *argument)
{
	size_t most = (size_t)session->settings->recipients;
	struct envelope *envelope = &session->envelope;
	struct rcpt_arguments rcpt;
	enum command_result result;
	const char *address;
	int r;

	result = command_parse_rcpt(argument, envelope->is_smtputf8, &rcpt);
	if (result == COMMAND_OK)
		result = qualify(session, &rcpt.recipient);
	if (result != COMMAND_OK)
		return argument_reply(result, 553, "5.1.3",
		    "expected TO:<forward-path>");
	address = rcpt.recipient.text;
	if (envelope->recipient_count >= most &&
	    !envelope_has_recipient(envelope, address))
		return too_many_recipients;
	r = envelope_add_request(envelope, address, rcpt.notify, rcpt.orcpt);
	if (r < 0)
		return reply_local_error;
	log_recipient(session, address);
	session->state = S_RCPT;
	return reply_make(250, "2.1.5", "recipient ok");
}

static struct trace
new_trace(const struct session *session)
{
	const struct envelope *envelope = &session->envelope;

	return (struct trace){
		.client_name = session->client_name,
		.peer = session->peer->text,
		.submitter = session->settings->shows_submitter &&
			session->peer->submitter.is_known
		    ? &session->peer->submitter
		    : NULL,
		.hostname = session->settings->hostname,
		.id = envelope->id,
		.recipient = envelope->recipient_count == 1
		    ? envelope->recipients[0]
		    : NULL,
		.is_esmtp = session->is_esmtp,
		.is_tls = session->is_tls,
		.is_smtputf8 = envelope->is_smtputf8,
		.real_ms = clock_real_ms(),
	};
}

static void
log_accepted(const struct session *session, const struct incoming *incoming)
{
	struct audit_record record =
	    session_new_record(session, AUDIT_MESSAGE_ACCEPTED);
	const struct envelope *envelope = &session->envelope;
	char token[TOKEN_SIZE];

	if (envelope->recipient_count == 1 &&
	    spool_token(session->storage.spool, envelope->recipients[0],
		token) == 0) {
		record.recipient = token;
		record.address = envelope->recipients[0];
	}
	record.sender = envelope->sender;
	record.requiretls = envelope->is_requiretls ? "yes" : NULL;
	record.recipients = (int64_t)envelope->recipient_count;
	record.size_bytes = (int64_t)incoming->size_bytes;
	audit_write(&record);
}

static void
log_spool_error(const struct session *session, int error)
{
	session_log_trouble(session,
	    error == -EBADMSG ? "the spool's key is damaged" : "spool", error);
}

/* Put a message that has come whole into the spool, or refuse it. */
static struct reply
commit_message(struct session *session, struct incoming *incoming)
{
	struct reply reply = incoming_commit(incoming);

	if (incoming->spool_error < 0)
		log_spool_error(session, incoming->spool_error);
	if (is_error(&reply))
		return reply;
	session->errors = 0;
	counters_add(session->storage.counters, COUNTER_MESSAGES_QUEUED, 1);
	log_accepted(session, incoming);
	(void)snprintf(session->text, sizeof(session->text), "ok, queued as %s",
	    session->envelope.id);
	return reply_make(250, "2.0.0", session->text);
}

/* Receive what follows the 354. */
static struct reply
receive_message(struct session *session, struct incoming *incoming)
{
	static const struct reply go_ahead = { 354, NULL,
		"start mail input, end with <CRLF>.<CRLF>" };

	if (reply_put(session->stream, &go_ahead) < 0)
		return reply_hang_up;
	switch (incoming_receive(incoming, session->stream,
	    session->settings->data_timeout_sec)) {
	case INCOMING_WHOLE:
		return commit_message(session, incoming);
	case INCOMING_TIMEOUT:
		return reply_timeout;
	case INCOMING_ENDLESS:
		return reply_make_last(421, "4.7.0",
		    "message far exceeds the size limit, closing");
	case INCOMING_CUT_SHORT:
		break;
	}
	return reply_hang_up;
}

/* Note what the client sent in place of CRLF, whatever became of the message:
 * it may wait for a reply to LF "." LF. */
static void
note_newlines(struct session *session, const struct data *data)
{
	if (session->settings->bare_newline != BARE_NEWLINE_NORMALIZE)
		return;
	if (data->has_bare_lf)
		session->newlines |= NEWLINE_BARE_LF;
	if (data->has_bare_cr)
		session->newlines |= NEWLINE_BARE_CR;
}

struct reply
cmd_data(struct session *session, char *argument)
{
	struct trace trace = new_trace(session);
	struct incoming incoming;
	struct reply reply;
	int r;

	if (*argument != '\0')
		return reply_no_argument;
	r = incoming_begin(&incoming, session->storage.spool,
	    &session->envelope, &trace, session->settings);
	if (r < 0) {
		session_log_trouble(session, "spool", r);
		session_reset_transaction(session);
		return reply_spool_error(r);
	}
	reply = receive_message(session, &incoming);
	note_newlines(session, &incoming.data);
	incoming_free(&incoming);
	session_reset_transaction(session);
	return reply;
}
