/* SPDX-License-Identifier: ISC */

/*
 * verb.c - the verbs of SMTP, and the answers to those that are not about a
 * transaction (RFC 5321 section 4.1.1, RFC 3207 STARTTLS).
 */

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/clock.h"
#include "lib/tls.h"
#include "smtp-session/auth.h"
#include "smtp-session/command.h"
#include "smtp-session/transaction.h"
#include "smtp-session/verb.h"

#define HANDSHAKE_SEC 60

static struct reply cmd_helo(struct session *session, char *argument);
static struct reply cmd_ehlo(struct session *session, char *argument);
static struct reply cmd_starttls(struct session *session, char *argument);
static struct reply cmd_rset(struct session *session, char *argument);
static struct reply cmd_noop(struct session *session, char *argument);
static struct reply cmd_quit(struct session *session, char *argument);
static struct reply cmd_vrfy(struct session *session, char *argument);
static struct reply cmd_help(struct session *session, char *argument);
static struct reply cmd_expn(struct session *session, char *argument);
static struct reply cmd_http(struct session *session, char *argument);

/* A row names the states in which its verb is legal; in any other state
 * dialogue.c answers 503 and no handler runs. */
static const struct verb verbs[] = {
	{ "HELO", S_ANY, cmd_helo },
	{ "EHLO", S_ANY, cmd_ehlo },
	{ "STARTTLS", S_GREETED, cmd_starttls },
	{ "AUTH", S_GREETED, cmd_auth },
	{ "MAIL", S_GREETED, cmd_mail },
	{ "RCPT", S_MAIL | S_RCPT, cmd_rcpt },
	{ "DATA", S_RCPT, cmd_data },
	{ "RSET", S_ANY, cmd_rset },
	{ "NOOP", S_ANY, cmd_noop },
	{ "QUIT", S_ANY, cmd_quit },
	{ "VRFY", S_ANY, cmd_vrfy },
	{ "HELP", S_ANY, cmd_help },
	{ "EXPN", S_ANY, cmd_expn },
	/* Browsers can be made to send mail in the body of a request. Host is
	 * here because the line before it may be too long to be read. */
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

const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcasecmp(name, verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

static struct reply
greet_client(struct session *session, char *name)
{
	if (!command_parse_name(name, session->client_name))
		return reply_make(501, "5.5.4",
		    "expected the client's host name");
	session_reset_transaction(session);
	session->state = S_GREETED;
	(void)strlcpy(session->text, session->settings->hostname,
	    sizeof(session->text));
	return reply_make(250, NULL, session->text);
}

static struct reply
cmd_helo(struct session *session, char *argument)
{
	session->is_esmtp = false;
	return greet_client(session, argument);
}

/* The extensions that concern TLS. REQUIRETLS is offered under TLS only, also
 * to clients on this host (RFC 8689 section 2). */
static const char *
tls_offer(const struct session *session)
{
	if (session->is_tls)
		return "\nREQUIRETLS";
	return *session->settings->tls_cert != '\0' ? "\nSTARTTLS" : "";
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
	    "\nPIPELINING\nSIZE %d\n8BITMIME\nSMTPUTF8\nDSN\n"
	    "ENHANCEDSTATUSCODES%s%s",
	    session->settings->message_size_bytes,
	    session->settings->auth == AUTH_ANY ? "\nAUTH PLAIN LOGIN" : "",
	    tls_offer(session));
	return reply;
}

/* Do the handshake after the 220. The session returns to its first state (RFC
 * 3207 section 4.2). */
static struct reply
start_tls(struct session *session, struct tls_identity *identity)
{
	struct audit_record record =
	    session_new_record(session, AUDIT_TLS_STARTED);
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
	session->is_authenticated = false;
	session->state = S_CONNECTED;
	return reply_sent;
}

static struct reply
cmd_starttls(struct session *session, char *argument)
{
	static const struct reply ready = { 220, "2.0.0", "ready for TLS" };
	struct audit_record record =
	    session_new_record(session, AUDIT_TLS_FAILED);
	struct tls_identity *identity;
	struct tls_result result;

	if (*argument != '\0')
		return reply_no_argument;
	if (*session->settings->tls_cert == '\0')
		return reply_make(502, "5.5.1", "TLS is not configured");
	if (session->is_tls)
		return reply_make(503, "5.5.1", "TLS is already in use");
	if (tls_identity_load(session->settings->tls_cert,
		session->settings->tls_key, &identity, &result) < 0) {
		record.reason = result.error;
		audit_write(&record);
		return reply_make(454, "4.7.0",
		    "TLS is temporarily unavailable");
	}
	if (reply_put(session->stream, &ready) < 0 ||
	    stream_flush(session->stream) < 0) {
		tls_identity_free(identity);
		return reply_hang_up;
	}
	return start_tls(session, identity);
}

static struct reply
cmd_rset(struct session *session, char *argument)
{
	if (*argument != '\0')
		return reply_no_argument;
	session_reset_transaction(session);
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
	return reply_make_last(221, "2.0.0", "goodbye");
}

static struct reply
cmd_vrfy(struct session *session, char *argument)
{
	(void)session;
	if (*argument == '\0')
		return reply_make(501, "5.5.4", "expected an address");
	return reply_make(252, "2.5.2",
	    "cannot verify the address, but will accept mail for it");
}

static struct reply
cmd_help(struct session *session, char *argument)
{
	(void)session;
	(void)argument;
	return reply_make(214, "2.0.0",
	    "HELO EHLO STARTTLS MAIL RCPT DATA RSET NOOP VRFY HELP QUIT\n"
	    "see smtpserver(7)");
}

static struct reply
cmd_expn(struct session *session, char *argument)
{
	(void)session;
	(void)argument;
	return reply_make(502, "5.5.1", "EXPN is not supported");
}

static struct reply
cmd_http(struct session *session, char *argument)
{
	(void)session;
	(void)argument;
	return reply_make_last(421, "4.7.0",
	    "this is an SMTP server, not HTTP, closing");
}
