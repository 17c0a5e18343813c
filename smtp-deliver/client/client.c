/* SPDX-License-Identifier: ISC */

/*
 * client.c - open and end a session with a remote host (RFC 5321 sections 3.1,
 * 3.2, 4.1.1; RFC 3207).
 *
 *	connect -> GREETING -> EHLO -> (STARTTLS -> EHLO) -> (AUTH) -> ready
 *	connect -> TLS -> GREETING -> EHLO -> (AUTH) -> ready	(RFC 8314)
 *
 * A connection is not used again after it was lost or an invalid reply came
 * over it.
 */

#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/tls.h"
#include "smtp-deliver/client/auth.h"
#include "smtp-deliver/client/client.h"

#define HANDSHAKE_SEC 60
#define BLOCK_SEC 180 /* for each block of the message: section 4.5.3.2.5 */

/* Whether an offer has the keyword, with or without parameters. */
static bool
is_keyword(const char *text, const char *keyword)
{
	size_t length = strlen(keyword);

	return strncasecmp(text, keyword, length) == 0 &&
	    (text[length] == '\0' || text[length] == ' ');
}

/* Take what a line of the reply to EHLO offers. */
static void
on_offer(void *context, const char *text)
{
	struct client_offers *offers = context;

	if (is_keyword(text, "STARTTLS"))
		offers->has_starttls = true;
	else if (is_keyword(text, "8BITMIME"))
		offers->has_8bitmime = true;
	else if (is_keyword(text, "SMTPUTF8"))
		offers->has_smtputf8 = true;
	else if (is_keyword(text, "PIPELINING"))
		offers->has_pipelining = true;
	else if (is_keyword(text, "DSN"))
		offers->has_dsn = true;
	else if (is_keyword(text, "REQUIRETLS"))
		offers->has_requiretls = true;
	else if (is_keyword(text, "AUTH"))
		offers->auth |= auth_parse_offer(text + strlen("AUTH"));
	else if (is_keyword(text, "SIZE")) {
		offers->has_size = true;
		offers->size_max = strtoull(text + 4, NULL, 10);
	}
}

/* Send EHLO, or HELO to a host that does not know EHLO. */
static enum dialogue_result
send_ehlo(struct client *client, struct verdict *ret_verdict)
{
	struct dialogue *dialogue = &client->dialogue;
	const char *hostname = dialogue->settings->hostname;
	enum dialogue_result result;

	client->offers = (struct client_offers){ .has_starttls = false };
	result = dialogue_send(dialogue, STEP_EHLO, ret_verdict, "EHLO %s",
	    hostname);
	if (result == DIALOGUE_OK)
		result = dialogue_read_reply(dialogue, STEP_EHLO, on_offer,
		    &client->offers, ret_verdict);
	if (result == DIALOGUE_REFUSED &&
	    ret_verdict->outcome == OUTCOME_FAILED) {
		/* The lines of a refusal are not offers. */
		client->offers =
		    (struct client_offers){ .has_starttls = false };
		result = dialogue_exchange(dialogue, STEP_HELO, ret_verdict,
		    "HELO %s", hostname);
	}
	return result;
}

static enum dialogue_result
handshake(struct client *client, const struct trust *trust,
    struct verdict *ret_verdict)
{
	struct dialogue *dialogue = &client->dialogue;
	struct tls_policy policy;
	struct tls_result result;
	int r;

	trust_get_tls_policy(trust, dialogue->settings, &policy);
	r = tls_connect(dialogue->stream, &policy, client->memory,
	    dialogue_deadline(dialogue, HANDSHAKE_SEC), &result);
	(void)strlcpy(dialogue->fingerprint, result.fingerprint,
	    sizeof(dialogue->fingerprint));
	if (r < 0) {
		dialogue_begin_verdict(dialogue, ret_verdict);
		verdict_set(ret_verdict, OUTCOME_DEFERRED, CLIENT_STATUS_TLS,
		    "TLS: %s", result.error);
		return r == -EKEYREJECTED ? DIALOGUE_UNVERIFIED : DIALOGUE_LOST;
	}
	client->is_verified = trust_is_verified(trust);
	(void)snprintf(dialogue->tls, sizeof(dialogue->tls), "%s %s%s",
	    result.protocol, result.cipher,
	    result.is_resumed ? " resumed" : "");
	return DIALOGUE_OK;
}

static enum dialogue_result
start_tls(struct client *client, const struct trust *trust,
    struct verdict *ret_verdict)
{
	enum dialogue_result result = dialogue_exchange(&client->dialogue,
	    STEP_STARTTLS, ret_verdict, "STARTTLS");

	if (result == DIALOGUE_OK)
		result = handshake(client, trust, ret_verdict);
	if (result == DIALOGUE_OK)
		result = send_ehlo(client, ret_verdict);
	return result;
}

/* Start TLS if the host offers it and its policy is not none. Fail if the
 * policy requires TLS and the host does not offer it. */
static enum dialogue_result
secure(struct client *client, const struct trust *trust,
    struct verdict *ret_verdict)
{
	struct dialogue *dialogue = &client->dialogue;

	if (trust->is_tls_first)
		return DIALOGUE_OK;
	if (client->offers.has_starttls && trust->level != LEVEL_NONE)
		return start_tls(client, trust, ret_verdict);
	if (trust->is_tls_required) {
		dialogue_begin_verdict(dialogue, ret_verdict);
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.10",
		    "the host does not offer STARTTLS, which its policy "
		    "requires");
		return DIALOGUE_REFUSED;
	}
	(void)strlcpy(dialogue->policy, level_name(LEVEL_NONE),
	    sizeof(dialogue->policy));
	return DIALOGUE_OK;
}

/* Authenticate to a relay, over TLS only. */
static enum dialogue_result
authenticate(const struct client *client, const struct credential *credential,
    struct verdict *ret_verdict)
{
	if (credential == NULL)
		return DIALOGUE_OK;
	if (client_is_verified(client))
		return auth_run(&client->dialogue, credential,
		    client->offers.auth, ret_verdict);
	dialogue_begin_verdict(&client->dialogue, ret_verdict);
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.10",
	    "no TLS with the host and a verified certificate: line %u of "
	    "SMTP_AUTH_FILE is not used without it",
	    credential->line);
	ret_verdict->is_auth_trouble = true;
	return DIALOGUE_REFUSED;
}

/* Take the session from the greeting to the point where messages can be
 * sent. */
static enum dialogue_result
open_session(struct client *client, const struct trust *trust,
    const struct credential *credential, struct verdict *ret_verdict)
{
	enum dialogue_result result = DIALOGUE_OK;

	if (trust->is_tls_first)
		result = handshake(client, trust, ret_verdict);
	if (result != DIALOGUE_OK)
		return result;
	/* A host that refuses in place of a greeting, or sends none, gets a
	 * QUIT, too. */
	if (dialogue_get_reply(&client->dialogue, STEP_GREETING, ret_verdict) !=
	    DIALOGUE_OK)
		return DIALOGUE_REFUSED;
	result = send_ehlo(client, ret_verdict);
	if (result == DIALOGUE_OK)
		result = secure(client, trust, ret_verdict);
	if (result == DIALOGUE_OK)
		result = authenticate(client, credential, ret_verdict);
	return result;
}

/* Set the host of the dialogue: name, address and policy. */
static void
set_host(struct dialogue *dialogue, const struct trust *trust,
    const struct addrinfo *address)
{
	char ip[INET6_ADDRSTRLEN + 16] = "?";

	(void)getnameinfo(address->ai_addr, address->ai_addrlen, ip, sizeof(ip),
	    NULL, 0, NI_NUMERICHOST);
	(void)snprintf(dialogue->host, sizeof(dialogue->host), "%s[%s]",
	    strcmp(trust->host, ip) == 0 ? "" : trust->host, ip);
	(void)strlcpy(dialogue->policy, level_name(trust->level),
	    sizeof(dialogue->policy));
}

static void
set_unused(const struct trust *trust, const struct addrinfo *address,
    const char *status, const char *reason, struct verdict *ret_verdict)
{
	struct dialogue dialogue = { .stream = NULL };

	set_host(&dialogue, trust, address);
	dialogue_begin_verdict(&dialogue, ret_verdict);
	verdict_set(ret_verdict, OUTCOME_DEFERRED, status, "%s", reason);
}

void
client_set_unconnected(const struct trust *trust,
    const struct addrinfo *address, const char *reason,
    struct verdict *ret_verdict)
{
	set_unused(trust, address, "4.4.1", reason, ret_verdict);
}

/* Make a client of a connection. Returns NULL without memory; the connection is
 * closed then. */
static struct client *
make_client(const struct trust *trust, int fd, const struct addrinfo *address,
    struct tls_memory *memory, const struct deliver_settings *settings)
{
	struct client *client = calloc(1, sizeof(*client));

	if (client == NULL) {
		close(fd);
		return NULL;
	}
	client->fd = fd;
	client->memory = memory;
	client->dialogue.settings = settings;
	set_host(&client->dialogue, trust, address);
	if (stream_open(fd, fd,
		dialogue_bound(&client->dialogue, BLOCK_SEC) * 1000,
		&client->dialogue.stream) < 0) {
		client_drop(client);
		return NULL;
	}
	stream_read_on(client->dialogue.stream);
	return client;
}

enum client_result
client_open(const struct trust *trust, int fd, const struct addrinfo *address,
    const struct credential *credential, struct tls_memory *memory,
    const struct deliver_settings *settings, struct client **ret_client,
    struct verdict *ret_verdict)
{
	struct client *client =
	    make_client(trust, fd, address, memory, settings);
	enum dialogue_result result;

	if (client == NULL) {
		set_unused(trust, address, "4.3.0", "no memory", ret_verdict);
		return CLIENT_UNUSABLE;
	}
	result = open_session(client, trust, credential, ret_verdict);
	if (result == DIALOGUE_OK) {
		*ret_client = client;
		return CLIENT_OPEN;
	}
	/* A failure before MAIL is never permanent for a recipient: the host
	 * may refuse all clients for a time. */
	verdict_defer(ret_verdict);
	/* A host that refused us gets a QUIT (RFC 5321 section 4.1.1.10). */
	if (result == DIALOGUE_REFUSED)
		client_quit(client);
	else
		client_drop(client);
	return result == DIALOGUE_UNVERIFIED ? CLIENT_UNVERIFIED
					     : CLIENT_UNUSABLE;
}

void
client_drop(struct client *client)
{
	if (client == NULL)
		return;
	stream_free(client->dialogue.stream);
	if (client->fd >= 0)
		close(client->fd);
	free(client);
}

void
client_quit(struct client *client)
{
	struct verdict ignored;

	if (client == NULL)
		return;
	(void)dialogue_exchange(&client->dialogue, STEP_QUIT, &ignored, "QUIT");
	client_drop(client);
}
