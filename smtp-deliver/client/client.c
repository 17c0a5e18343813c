/* SPDX-License-Identifier: ISC */

/*
 * client.c - open and end a session with a remote host (RFC 5321 sections 3.1,
 * 3.2, 4.1.1; RFC 3207).
 *
 *	connect -> GREETING -> EHLO -> (STARTTLS -> EHLO) -> (AUTH) -> ready
 *	connect -> TLS -> GREETING -> EHLO -> (AUTH) -> ready	(RFC 8314)
 *
 * A connection that is lost, or over which something unintelligible came, is
 * not used again.
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

/* Whether an offer has that keyword, with any parameters. */
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
static int
send_ehlo(struct client *client, struct verdict *ret_verdict)
{
	struct dialogue *dialogue = &client->dialogue;
	const char *hostname = dialogue->settings->hostname;
	int r;

	client->offers = (struct client_offers){ .has_starttls = false };
	r = dialogue_send(dialogue, STEP_EHLO, ret_verdict, "EHLO %s",
	    hostname);
	if (r == 0)
		r = dialogue_read_reply(dialogue, STEP_EHLO, on_offer,
		    &client->offers, ret_verdict);
	if (r == 0 && ret_verdict->outcome == OUTCOME_FAILED) {
		/* The lines of the refusal were no offers. */
		client->offers =
		    (struct client_offers){ .has_starttls = false };
		r = dialogue_exchange(dialogue, STEP_HELO, ret_verdict,
		    "HELO %s", hostname);
	}
	return r == 0 && !verdict_is_good(ret_verdict) ? -EHOSTUNREACH : r;
}

static int
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
		return r;
	}
	client->is_verified = trust_is_verified(trust);
	(void)snprintf(dialogue->tls, sizeof(dialogue->tls), "%s %s%s",
	    result.protocol, result.cipher,
	    result.is_resumed ? " resumed" : "");
	return 0;
}

static int
start_tls(struct client *client, const struct trust *trust,
    struct verdict *ret_verdict)
{
	int r;

	r = dialogue_exchange(&client->dialogue, STEP_STARTTLS, ret_verdict,
	    "STARTTLS");
	if (r < 0 || !verdict_is_good(ret_verdict))
		return r < 0 ? r : -EHOSTUNREACH;
	if ((r = handshake(client, trust, ret_verdict)) < 0)
		return r;
	return send_ehlo(client, ret_verdict);
}

/* Start TLS, unless the host may be used without. */
static int
secure(struct client *client, const struct trust *trust,
    struct verdict *ret_verdict)
{
	struct dialogue *dialogue = &client->dialogue;

	if (trust->is_tls_first)
		return 0;
	if (client->offers.has_starttls && trust->level != LEVEL_NONE)
		return start_tls(client, trust, ret_verdict);
	if (trust->is_tls_required) {
		dialogue_begin_verdict(dialogue, ret_verdict);
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.10",
		    "the host does not offer STARTTLS, which its policy asks "
		    "for");
		return -EHOSTUNREACH;
	}
	(void)strlcpy(dialogue->policy, level_name(LEVEL_NONE),
	    sizeof(dialogue->policy));
	return 0;
}

/* Authenticate to a relay, over TLS only. */
static int
authenticate(const struct client *client, const struct credential *credential,
    struct verdict *ret_verdict)
{
	if (credential == NULL)
		return 0;
	if (client_is_verified(client))
		return auth_run(&client->dialogue, credential,
		    client->offers.auth, ret_verdict);
	dialogue_begin_verdict(&client->dialogue, ret_verdict);
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.10",
	    "no verified TLS with the host, without which line %u of SMTP_AUTH_FILE is "
	    "not used",
	    credential->line);
	ret_verdict->is_auth_trouble = true;
	return -EHOSTUNREACH;
}

/* Take the session from the greeting to the point where messages can be
 * sent. */
static int
open_session(struct client *client, const struct trust *trust,
    const struct credential *credential, struct verdict *ret_verdict)
{
	int r;

	if (trust->is_tls_first &&
	    (r = handshake(client, trust, ret_verdict)) < 0)
		return r;
	r = dialogue_get_reply(&client->dialogue, STEP_GREETING, ret_verdict);
	if (r < 0 || !verdict_is_good(ret_verdict))
		return -EHOSTUNREACH;
	if ((r = send_ehlo(client, ret_verdict)) < 0)
		return r;
	if ((r = secure(client, trust, ret_verdict)) < 0)
		return r;
	return authenticate(client, credential, ret_verdict);
}

/* Set whom the dialogue is with: name, address and policy. */
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

void
client_set_unconnected(const struct trust *trust,
    const struct addrinfo *address, const char *reason,
    struct verdict *ret_verdict)
{
	struct dialogue dialogue = { .stream = NULL };

	set_host(&dialogue, trust, address);
	dialogue_begin_verdict(&dialogue, ret_verdict);
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.1", "%s", reason);
}

/* Trouble before MAIL is never permanent for a recipient: the host may refuse
 * everybody today. */
static void
make_temporary(struct verdict *verdict)
{
	verdict->outcome = OUTCOME_DEFERRED;
	verdict->status[0] = '4';
}

int
client_open(const struct trust *trust, int fd, const struct addrinfo *address,
    const struct credential *credential, struct tls_memory *memory,
    const struct deliver_settings *settings, struct client **ret_client,
    struct verdict *ret_verdict)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (client == NULL) {
		close(fd);
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.3.0",
		    "no memory");
		return -EHOSTUNREACH;
	}
	client->fd = fd;
	client->memory = memory;
	client->dialogue.settings = settings;
	set_host(&client->dialogue, trust, address);
	dialogue_begin_verdict(&client->dialogue, ret_verdict);
	r = stream_open(fd, fd,
	    dialogue_bound(&client->dialogue, BLOCK_SEC) * 1000,
	    &client->dialogue.stream);
	if (r == 0) {
		stream_read_on(client->dialogue.stream);
		r = open_session(client, trust, credential, ret_verdict);
	}
	if (r < 0) {
		make_temporary(ret_verdict);
		/* A host that refused us gets a QUIT (RFC 5321 section
		 * 4.1.1.10). */
		if (r == -EHOSTUNREACH && client->dialogue.stream != NULL)
			client_quit(client);
		else
			client_drop(client);
		return r == -EKEYREJECTED ? r : -EHOSTUNREACH;
	}
	*ret_client = client;
	return 0;
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
