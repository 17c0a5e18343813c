/* SPDX-License-Identifier: ISC */

/*
 * session.c - the server's side of an SMTP dialogue (RFC 5321 sections 3 and
 * 4.1.1; RFC 2920 pipelining, RFC 3207 STARTTLS).
 *
 *	CONNECTED --HELO, EHLO--> GREETED --MAIL--> MAIL --RCPT--> RCPT
 *	    ^                      |  ^              |              |
 *	    +------STARTTLS--------+  +--RSET, EHLO--+---RSET, -----+
 *	                                                EHLO, DATA
 *
 * Verbs are rows of a table; a handler returns a reply; one place sends, logs
 * and counts it. The spool does the storing, message.c what follows DATA.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "lib/counters.h"
#include "lib/id.h"
#include "lib/spool/envelope.h"
#include "lib/spool/spool.h"
#include "lib/tls.h"
#include "smtp-session/command.h"
#include "smtp-session/message.h"
#include "smtp-session/reply.h"
#include "smtp-session/session.h"
#include "smtp-session/stop.h"
#include "smtp-session/storage.h"
#include "smtp-session/sandbox.h"

#define ERRORS_MAX 20
#define TLS_HANDSHAKE 0x16 /* RFC 8446 section 5.1 */
#define HANDSHAKE_SEC 60
#define TEXT_SIZE 1024

enum state {
	S_CONNECTED = 1,
	S_GREETED = 2,
	S_MAIL = 4,
	S_RCPT = 8,
	S_ANY = S_CONNECTED | S_GREETED | S_MAIL | S_RCPT,
};

struct session {
	struct stream *stream;
	const struct session_settings *settings;
	const struct peer *peer;
	struct storage storage;
	enum state state;
	bool is_esmtp;
	bool is_tls;
	int errors;
	struct envelope envelope; /* its id names the message under way */
	char id[ID_SIZE];
	char client_name[256];
	char text[TEXT_SIZE]; /* of a reply that is not a constant */
};

struct command {
	const char *verb;
	unsigned states;
	struct reply (*handler)(struct session *session, char *argument);
};

static struct reply cmd_helo(struct session *session, char *argument);
static struct reply cmd_ehlo(struct session *session, char *argument);
static struct reply cmd_starttls(struct session *session, char *argument);
static struct reply cmd_mail(struct session *session, char *argument);
static struct reply cmd_rcpt(struct session *session, char *argument);
static struct reply cmd_data(struct session *session, char *argument);
static struct reply cmd_rset(struct session *session, char *argument);
static struct reply cmd_noop(struct session *session, char *argument);
static struct reply cmd_quit(struct session *session, char *argument);
static struct reply cmd_vrfy(struct session *session, char *argument);
static struct reply cmd_help(struct session *session, char *argument);
static struct reply cmd_expn(struct session *session, char *argument);
static struct reply cmd_http(struct session *session, char *argument);

/* RFC 5321 section 4.1.1 verbs. A row names the states in which its verb is
 * legal; in any other state the dispatcher answers 503 and no handler runs. */
static const struct command commands[] = {
	{ "HELO", S_ANY, cmd_helo },
	{ "EHLO", S_ANY, cmd_ehlo },
	{ "STARTTLS", S_GREETED, cmd_starttls },
	{ "MAIL", S_GREETED, cmd_mail },
	{ "RCPT", S_MAIL | S_RCPT, cmd_rcpt },
	{ "DATA", S_RCPT, cmd_data },
	{ "RSET", S_ANY, cmd_rset },
	{ "NOOP", S_ANY, cmd_noop },
	{ "QUIT", S_ANY, cmd_quit },
	{ "VRFY", S_ANY, cmd_vrfy },
	{ "HELP", S_ANY, cmd_help },
	{ "EXPN", S_ANY, cmd_expn },
	/* What browsers say, who can be made to send mail in a body; the first
	 * line may be too long to be looked at, then Host is next. */
	{ "CONNECT", S_ANY, cmd_http },
	{ "DELETE", S_ANY, cmd_http },
	{ "GET", S_ANY, cmd_http },
	{ "HEAD", S_ANY, cmd_http },
	{ "HOST:", S_ANY, cmd_http },
	{ "OPTIONS", S_ANY, cmd_http },
	{ "PATCH", S_ANY, cmd_http },
	{ "POST", S_ANY, cmd_http },
	{ "PRI", S_ANY, cmd_http },
	{ "PUT", S_ANY, cmd_http },
	{ "TRACE", S_ANY, cmd_http },
};

static const struct reply reply_no_argument = { 501, "5.5.4",
	"no argument is allowed here" };

/* A reply of code 0 has been sent already. */
static const struct reply reply_sent = { .code = 0 };
static const struct reply reply_stopping = { 421, "4.3.2",
	"shutting down, closing", true };
static const struct reply reply_hang_up = { .code = 0, .is_last = true };

/* What the audit trail has of everything that happens here. */
static struct audit_record
new_record(const struct session *session, enum audit_event event)
{
	return (struct audit_record){
		.event = event,
		.message = session->envelope.id[0] != '\0'
		    ? session->envelope.id
		    : NULL,
		.session = session->id,
		.peer = session->peer->text,
	};
}

static void
log_trouble(const struct session *session, const char *what, int error)
{
	struct audit_record record = new_record(session, AUDIT_TROUBLE);
	char reason[TEXT_SIZE];

	(void)snprintf(reason, sizeof(reason), "%s: %s", what,
	    strerror(-error));
	record.reason = reason;
	audit_write(&record);
}

/* End the transaction that is under way, if one is. */
static void
reset_transaction(struct session *session)
{
	envelope_clear(&session->envelope);
	if (session->state != S_CONNECTED)
		session->state = S_GREETED;
}

static struct reply
greet_client(struct session *session, char *name)
{
	if (!is_client_name(name))
		return (
		    struct reply){ 501, "5.5.4", "expected your host's name" };
	reset_transaction(session);
	session->state = S_GREETED;
	(void)strlcpy(session->client_name, name, sizeof(session->client_name));
	(void)strlcpy(session->text, session->settings->hostname,
	    sizeof(session->text));
	return (struct reply){ 250, NULL, session->text };
}

static struct reply
cmd_helo(struct session *session, char *argument)
{
	session->is_esmtp = false;
	return greet_client(session, argument);
}

/* What is offered that has to do with TLS. REQUIRETLS is for who has come by
 * TLS (RFC 8689 section 2): for no other, be he on this host or not. */
static const char *
tls_offer(const struct session *session)
{
	if (session->is_tls)
		return "\nREQUIRETLS";
	return session->settings->tls_cert != NULL ? "\nSTARTTLS" : "";
}

static struct reply
cmd_ehlo(struct session *session, char *argument)
{
	struct reply reply = greet_client(session, argument);
	size_t used = strlen(session->text);

	if (is_error(&reply))
		return reply;
	session->is_esmtp = true;
	(void)snprintf(session->text + used, sizeof(session->text) - used,
	    "\nPIPELINING\nSIZE %d\n8BITMIME\nSMTPUTF8\nDSN\nENHANCEDSTATUSCODES%s",
	    MESSAGE_SIZE_MAX, tls_offer(session));
	return reply;
}

/* Shake hands after the 220. The client starts anew (RFC 3207 section 4.2). */
static struct reply
start_tls(struct session *session, struct tls_identity *identity)
{
	struct audit_record record = new_record(session, AUDIT_TLS_STARTED);
	char text[TLS_TEXT_SIZE];
	struct tls_result result;
	int r;

	r = tls_accept(session->stream, identity,
	    clock_mono_ms() + HANDSHAKE_SEC * 1000, &result);
	if (r < 0) {
		record.event = AUDIT_TLS_FAILED;
		record.reason = result.error;
		audit_write(&record);
		return reply_hang_up;
	}
	(void)snprintf(text, sizeof(text), "%s %s", result.protocol,
	    result.cipher);
	record.tls = text;
	audit_write(&record);
	session->is_tls = true;
	session->state = S_CONNECTED;
	return reply_sent;
}

static struct reply
cmd_starttls(struct session *session, char *argument)
{
	static const struct reply ready = { 220, "2.0.0", "ready for TLS" };
	struct audit_record record = new_record(session, AUDIT_TLS_FAILED);
	struct tls_identity *identity;
	struct tls_result result;

	if (*argument != '\0')
		return reply_no_argument;
	if (session->settings->tls_cert == NULL)
		return (struct reply){ 502, "5.5.1", "no TLS here" };
	if (session->is_tls)
		return (struct reply){ 503, "5.5.1", "TLS is in use already" };
	if (tls_identity_load(session->settings->tls_cert,
		session->settings->tls_key, &identity, &result) < 0) {
		record.reason = result.error;
		audit_write(&record);
		return (
		    struct reply){ 454, "4.7.0", "TLS is not available now" };
	}
	if (reply_put(session->stream, &ready) < 0 ||
	    stream_flush(session->stream) < 0) {
		tls_identity_free(identity);
		return reply_hang_up;
	}
	return start_tls(session, identity);
}

/* What is wrong with the argument of MAIL or RCPT. */
static struct reply
path_reply(int error, bool is_sender)
{
	switch (error) {
	case -EINVAL:
		return (struct reply){ 501, "5.5.4",
			is_sender ? "expected FROM:<reverse-path>"
				  : "expected TO:<forward-path>" };
	case -ENAMETOOLONG:
		return (struct reply){ 501, is_sender ? "5.1.7" : "5.1.3",
			"path too long" };
	case -EILSEQ:
		return (struct reply){ is_sender ? 550 : 553, "5.6.7",
			"UTF-8 in an address needs SMTPUTF8" };
	case -ENOTSUP:
		return (struct reply){ 555, "5.5.4", "unknown parameter" };
	case -EDOM:
		return (
		    struct reply){ 501, "5.5.4", "bad value of a parameter" };
	default:
		return (struct reply){ 501, is_sender ? "5.1.7" : "5.1.3",
			"bad syntax of the address" };
	}
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
	return 0;
}

static struct reply
cmd_mail(struct session *session, char *argument)
{
	struct mail_arguments mail;
	int r;

	if ((r = command_parse_mail(argument, &mail)) < 0)
		return path_reply(r, true);
	if (mail.is_requiretls && !(session->is_tls && session->is_esmtp))
		return (struct reply){
			555, "5.5.4",
			"REQUIRETLS is only for who has said STARTTLS and EHLO"
		};
	if (mail.size_bytes > MESSAGE_SIZE_MAX)
		return (struct reply){ 552, "5.3.4", "message too large" };
	if (session->storage.spool == NULL)
		return reply_spool_error(session->storage.error);
	if ((r = spool_check_space(session->storage.spool, mail.size_bytes)) <
		0 ||
	    (r = begin_envelope(session, &mail)) < 0)
		return reply_spool_error(r);
	session->state = S_MAIL;
	return (struct reply){ 250, "2.1.0", "sender ok" };
}

/* <postmaster> without a domain is the one of this host. */
static int
complete_postmaster(const struct session *session, struct address *address)
{
	const char *hostname = session->settings->hostname;
	char path[ADDRESS_PATH_MAX];
	size_t used;

	if (!is_domain(hostname, false) ||
	    snprintf(path, sizeof(path), "<postmaster@%s>", hostname) >=
		(int)sizeof(path))
		(void)strlcpy(path, "<postmaster@localhost>", sizeof(path));
	return address_parse_path(path, 0, address, &used);
}

static void
log_recipient(const struct session *session, const char *address)
{
	struct audit_record record =
	    new_record(session, AUDIT_RECIPIENT_ACCEPTED);
	char token[TOKEN_SIZE];

	if (!session->settings->is_debug ||
	    spool_token(session->storage.spool, address, token) < 0)
		return;
	record.recipient = token;
	record.address = address;
	audit_write(&record);
}

static struct reply
cmd_rcpt(struct session *session, char *argument)
{
	struct envelope *envelope = &session->envelope;
	struct rcpt_arguments rcpt;
	const char *address;
	int r;

	r = command_parse_rcpt(argument, envelope->is_smtputf8, &rcpt);
	if (r == 0 && *rcpt.recipient.domain == '\0')
		r = complete_postmaster(session, &rcpt.recipient);
	if (r < 0)
		return path_reply(r, false);
	address = rcpt.recipient.text;
	r = envelope_add_request(envelope, address, rcpt.notify, rcpt.orcpt);
	if (r == -E2BIG)
		return (struct reply){ 452, "4.5.3",
			"too many recipients, send the rest later" };
	if (r < 0)
		return reply_local_error;
	log_recipient(session, address);
	session->state = S_RCPT;
	return (struct reply){ 250, "2.1.5", "recipient ok" };
}

static struct trace
new_trace(const struct session *session)
{
	const struct envelope *envelope = &session->envelope;

	return (struct trace){
		.client_name = session->client_name,
		.peer = session->peer->text,
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
log_accepted(const struct session *session, const struct message *message)
{
	struct audit_record record =
	    new_record(session, AUDIT_MESSAGE_ACCEPTED);
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
	record.size_bytes = (int64_t)message->size_bytes;
	audit_write(&record);
}

/* What message_receive() could not do with a client. */
static struct reply
receive_error_reply(int error)
{
	if (error == -ETIMEDOUT)
		return reply_timeout;
	if (error == -EFBIG)
		return (struct reply){ 421, "4.7.0",
			"this message has no end, closing", true };
	return reply_hang_up;
}

/* Receive what follows the 354. */
static struct reply
receive_message(struct session *session, struct message *message)
{
	static const struct reply go_ahead = { 354, NULL,
		"go ahead, end with a dot on a line of its own" };
	struct reply reply;
	int r;

	if (reply_put(session->stream, &go_ahead) < 0)
		return reply_hang_up;
	r = message_receive(message, session->stream,
	    session->settings->data_timeout_sec);
	if (r < 0)
		return receive_error_reply(r);
	reply = message_commit(message);
	if (is_error(&reply)) {
		if (message->spool_error < 0)
			log_trouble(session,
			    message->spool_error == -EBADMSG
				? "the spool's key is damaged"
				: "spool",
			    message->spool_error);
		return reply;
	}
	counters_add(session->storage.counters, COUNTER_MESSAGES_QUEUED, 1);
	log_accepted(session, message);
	(void)snprintf(session->text, sizeof(session->text), "ok, queued as %s",
	    session->envelope.id);
	reply.text = session->text;
	return reply;
}

static struct reply
cmd_data(struct session *session, char *argument)
{
	struct trace trace = new_trace(session);
	struct message message;
	struct reply reply;
	int r;

	if (*argument != '\0')
		return reply_no_argument;
	r = message_begin(&message, session->storage.spool, &session->envelope,
	    &trace, session->settings->bare_newline);
	if (r < 0) {
		log_trouble(session, "spool", r);
		reset_transaction(session);
		return reply_spool_error(r);
	}
	reply = receive_message(session, &message);
	message_free(&message);
	reset_transaction(session);
	return reply;
}

static struct reply
cmd_rset(struct session *session, char *argument)
{
	if (*argument != '\0')
		return reply_no_argument;
	reset_transaction(session);
	return reply_ok;
}

static struct reply
cmd_noop(struct session *session, char *argument)
{
	(void)session;
	(void)argument;
	return reply_ok;
}

static struct reply
cmd_quit(struct session *session, char *argument)
{
	(void)session;
	if (*argument != '\0')
		return reply_no_argument;
	return (struct reply){ 221, "2.0.0", "goodbye", true };
}

static struct reply
cmd_vrfy(struct session *session, char *argument)
{
	(void)session;
	if (*argument == '\0')
		return (struct reply){ 501, "5.5.4", "expected an address" };
	return (struct reply){ 252, "2.5.2",
		"not verified, but mail for it is taken" };
}

static struct reply
cmd_help(struct session *session, char *argument)
{
	(void)session;
	(void)argument;
	return (struct reply){ 214, "2.0.0",
		"HELO EHLO STARTTLS MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\n"
		"see smtpserver(7)" };
}

static struct reply
cmd_expn(struct session *session, char *argument)
{
	(void)session;
	(void)argument;
	return (struct reply){ 502, "5.5.1", "there are no lists here" };
}

static struct reply
cmd_http(struct session *session, char *argument)
{
	(void)session;
	(void)argument;
	return (struct reply){ 421, "4.7.0",
		"this is SMTP and not HTTP, closing", true };
}

static const struct command *
find_command(const char *verb)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcasecmp(verb, commands[i].verb) == 0)
			return &commands[i];
	return NULL;
}

static struct reply
run_command(struct session *session, const struct command *command,
    char *argument)
{
	if (command == NULL)
		return (struct reply){ 500, "5.5.1", "unknown command" };
	if ((session->state & command->states) == 0)
		return (struct reply){ 503, "5.5.1",
			"not now: bad sequence of commands" };
	return command->handler(session, argument);
}

static void
log_refusal(const struct session *session, const struct command *command,
    const char *message, const struct reply *reply)
{
	bool is_message = command != NULL && command->handler == cmd_data;
	struct audit_record record = new_record(session,
	    is_message ? AUDIT_MESSAGE_REFUSED : AUDIT_COMMAND_REFUSED);
	char text[TEXT_SIZE];

	reply_format(reply, text, sizeof(text));
	record.message = *message != '\0' ? message : NULL;
	record.reply = text;
	record.reason = command != NULL ? command->verb : NULL;
	audit_write(&record);
}

/* The reply to a line that could not be read; hanging up is one too. */
static struct reply
line_error_reply(int error)
{
	switch (error) {
	case -EMSGSIZE:
		return (struct reply){ 500, "5.5.2", "line too long" };
	case -EBADMSG:
		return (struct reply){ 500, "5.5.2",
			"lines end in CRLF, and have no other CR or LF" };
	case -EILSEQ:
		return (struct reply){ 500, "5.5.2", "NUL in a command" };
	case -EPROTONOSUPPORT:
		return (struct reply){ 421, "4.7.0",
			"TLS begins with STARTTLS here, closing", true };
	case -ETIMEDOUT:
		return reply_timeout;
	default:
		return stop_is_due() ? reply_stopping : reply_hang_up;
	}
}

static struct reply
refuse_line(const struct session *session, int error)
{
	struct reply reply = line_error_reply(error);

	if (is_error(&reply))
		log_refusal(session, NULL, "", &reply);
	return reply;
}

/* Run a command line that has come whole. */
static struct reply
handle_line(struct session *session, char *line, size_t length)
{
	const struct command *command = NULL;
	char message[ID_SIZE], *argument;
	const char *verb;
	struct reply reply;

	if (memchr(line, '\0', length) != NULL)
		return refuse_line(session, -EILSEQ);
	command_split(line, &verb, &argument);
	command = find_command(verb);
	memcpy(message, session->envelope.id, sizeof(message));
	reply = run_command(session, command, argument);
	if (is_error(&reply))
		log_refusal(session, command, message, &reply);
	return reply;
}

/* Read a command line; but TLS, which no line begins like, has no end that
 * would be worth waiting for. */
static ssize_t
read_line(struct stream *stream, char line[COMMAND_LINE_MAX],
    int64_t deadline_ms)
{
	const char *input;
	ssize_t n = stream_peek(stream, &input, deadline_ms);

	if (n < 0)
		return n;
	if (*input == TLS_HANDSHAKE)
		return -EPROTONOSUPPORT;
	return stream_get_line(stream, line, COMMAND_LINE_MAX, deadline_ms);
}

/* Wait for a command line. Between transactions SIGTERM ends the wait. */
static ssize_t
get_line(struct session *session, char line[COMMAND_LINE_MAX])
{
	bool is_between = (session->state & (S_CONNECTED | S_GREETED)) != 0;
	int64_t deadline_ms = clock_mono_ms() +
	    (int64_t)session->settings->command_timeout_sec * 1000;
	ssize_t n = -ECONNRESET;

	if (is_between)
		stop_begin_wait();
	if (!is_between || !stop_is_due())
		n = read_line(session->stream, line, deadline_ms);
	stop_end_wait();
	return n;
}

static struct reply
next_reply(struct session *session)
{
	char line[COMMAND_LINE_MAX];
	ssize_t n = get_line(session, line);

	return n < 0 ? refuse_line(session, (int)n)
		     : handle_line(session, line, (size_t)n);
}

/* A client that does nothing right is to stop. */
static void
count_error(struct session *session, struct reply *reply)
{
	if (reply->code < 500 || ++session->errors < ERRORS_MAX)
		return;
	*reply =
	    (struct reply){ 421, "4.7.0", "too many errors, closing", true };
	log_refusal(session, NULL, "", reply);
}

static void
hold_dialogue(struct session *session)
{
	struct reply reply;

	(void)snprintf(session->text, sizeof(session->text), "%s %s",
	    session->settings->hostname, session->settings->banner);
	reply = (struct reply){ 220, NULL, session->text };
	while (reply.code == 0 || reply_put(session->stream, &reply) == 0) {
		if (reply.is_last)
			break;
		reply = next_reply(session);
		count_error(session, &reply);
	}
	(void)stream_flush(session->stream);
}

/* Open what is needed, close the wall behind it. */
static void
withdraw(struct session *session)
{
	const char *trouble;
	struct sandbox sandbox;
	int r;

	sandbox_begin(&sandbox, SANDBOX_SESSION);
	r = storage_open(session->settings, &sandbox, &session->storage,
	    &trouble);
	if (r < 0)
		log_trouble(session, trouble, r);
	sandbox_enter_session(session->settings, &sandbox);
}

void
session_run(struct stream *stream, const struct session_settings *settings,
    const struct peer *peer)
{
	struct session session = {
		.stream = stream,
		.settings = settings,
		.peer = peer,
		.state = S_CONNECTED,
	};
	struct audit_record record;

	if (id_make(session.id) < 0)
		return;
	record = new_record(&session, AUDIT_SESSION_OPENED);
	audit_write(&record);
	withdraw(&session);

	hold_dialogue(&session);

	record = new_record(&session, AUDIT_SESSION_CLOSED);
	record.message = NULL;
	audit_write(&record);
	envelope_clear(&session.envelope);
	storage_close(&session.storage);
}
