/* SPDX-License-Identifier: ISC */

/*
 * auth.c - authenticate to a relay (RFC 4954).
 *
 *	AUTH MECHANISM [first response] -> 334 challenge -> response -> ...
 *	-> 235
 *
 * Nothing that is sent here becomes part of a verdict, even if the host repeats
 * it.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base64.h"
#include "smtp-deliver/client/auth.h"
#include "smtp-deliver/client/scram.h"

/* A command line with its CRLF (RFC 5321 section 4.5.3.1.4). An initial
 * response that does not fit follows in a line of its own (RFC 4954 section
 * 4). */
#define COMMAND_OCTETS 512
#define RESPONSE_SIZE (CREDENTIAL_SECRET_SIZE + 2 * CREDENTIAL_USER_SIZE + 64)
#define NONCE_OCTETS 18
#define CHALLENGE_SIZE 2048

/* A reply that repeats this many octets of what we sent is not logged. */
#define ECHO_OCTETS 6

struct exchange {
	const struct dialogue *dialogue;
	const struct credential *credential;
	const struct mechanism *mechanism;
	unsigned turn; /* number of responses so far */
	bool is_pending; /* the first response has not been sent */
	bool is_accepted; /* the host has accepted the credential */
	size_t lines; /* of the current reply */
	char challenge[CHALLENGE_SIZE]; /* the last line; decoded later */
	bool is_challenge_cut; /* it was longer */
	char response[RESPONSE_SIZE];
	size_t response_length;
	char line[BASE64_SIZE(RESPONSE_SIZE)];
	struct scram scram;
	const char *problem; /* with the host's challenge */
};

/* A mechanism. respond() makes the response to the challenge; the first turn
 * has no challenge. It returns 0, -ENODATA if the mechanism needs a
 * challenge first, or -EPROTO for a challenge that does not belong in the
 * exchange. */
struct mechanism {
	enum credential_mechanism bit;
	const char *name;
	int (*respond)(struct exchange *exchange);
};

static int respond_scram(struct exchange *exchange);
static int respond_plain(struct exchange *exchange);
static int respond_login(struct exchange *exchange);
static int respond_xoauth2(struct exchange *exchange);

/* The strongest first. */
static const struct mechanism mechanisms[] = {
	{ CREDENTIAL_SCRAM_SHA_256, "SCRAM-SHA-256", respond_scram },
	{ CREDENTIAL_PLAIN, "PLAIN", respond_plain },
	{ CREDENTIAL_LOGIN, "LOGIN", respond_login },
	{ CREDENTIAL_XOAUTH2, "XOAUTH2", respond_xoauth2 },
};

#define MECHANISMS (sizeof(mechanisms) / sizeof(mechanisms[0]))

/* ---- mechanisms ---------------------------------------------------------- */

static int
respond_with(struct exchange *exchange, const char *text)
{
	exchange->response_length =
	    strlcpy(exchange->response, text, sizeof(exchange->response));
	return 0;
}

static int
respond_too_often(struct exchange *exchange)
{
	exchange->problem =
	    "the host sends more challenges than the mechanism has";
	return -EPROTO;
}

/* RFC 5802 section 5; the host's last message gets an empty response. */
static int
respond_scram(struct exchange *exchange)
{
	struct scram *scram = &exchange->scram;
	uint8_t chance[NONCE_OCTETS];
	char nonce[BASE64_SIZE(NONCE_OCTETS)], message[SCRAM_MESSAGE_SIZE] = "";
	int r;

	switch (exchange->turn) {
	case 0:
		arc4random_buf(chance, sizeof(chance));
		base64_encode(chance, sizeof(chance), nonce);
		r = scram_begin(scram, exchange->credential->user, nonce,
		    message);
		break;
	case 1:
		r = scram_answer(scram, exchange->credential->secret,
		    exchange->challenge, message);
		break;
	case 2:
		r = scram_check(scram, exchange->challenge);
		break;
	default:
		return respond_too_often(exchange);
	}
	exchange->problem = scram->problem;
	return r < 0 ? r : respond_with(exchange, message);
}

/* RFC 4616: without an authorization identity. */
static int
respond_plain(struct exchange *exchange)
{
	const struct credential *credential = exchange->credential;

	if (exchange->turn > 0)
		return respond_too_often(exchange);
	exchange->response_length =
	    (size_t)snprintf(exchange->response, sizeof(exchange->response),
		"%c%s%c%s", '\0', credential->user, '\0', credential->secret);
	return 0;
}

/* The host asks for user and password, in any wording. */
static int
respond_login(struct exchange *exchange)
{
	switch (exchange->turn) {
	case 0:
		return -ENODATA;
	case 1:
		return respond_with(exchange, exchange->credential->user);
	case 2:
		return respond_with(exchange, exchange->credential->secret);
	default:
		return respond_too_often(exchange);
	}
}

/* A host that rejects the token explains in JSON, and gives its final reply
 * after an empty response. */
static int
respond_xoauth2(struct exchange *exchange)
{
	const struct credential *credential = exchange->credential;

	if (exchange->turn > 1)
		return respond_too_often(exchange);
	if (exchange->turn > 0)
		return respond_with(exchange, "");
	exchange->response_length = (size_t)snprintf(exchange->response,
	    sizeof(exchange->response), "user=%s\001auth=Bearer %s\001\001",
	    credential->user, credential->secret);
	return 0;
}

static int
respond(struct exchange *exchange)
{
	int r = exchange->mechanism->respond(exchange);

	exchange->turn++;
	return r;
}

/* ---- what is offered ----------------------------------------------------- */

unsigned
auth_parse_offer(const char *text)
{
	unsigned offered = 0;

	while (*text != '\0') {
		size_t length = strcspn(text, " ");

		for (size_t i = 0; i < MECHANISMS; i++)
			if (strlen(mechanisms[i].name) == length &&
			    strncasecmp(text, mechanisms[i].name, length) == 0)
				offered |= mechanisms[i].bit;
		text += length;
		text += strspn(text, " ");
	}
	return offered;
}

static const struct mechanism *
choose(unsigned usable)
{
	for (size_t i = 0; i < MECHANISMS; i++)
		if ((mechanisms[i].bit & usable) != 0)
			return &mechanisms[i];
	return NULL;
}

/* ---- secrets in replies -------------------------------------------------- */

/* Whether a text has a run of octets in common with a secret. */
static bool
has_part(const char *text, const char *secret, size_t length)
{
	size_t part = length < ECHO_OCTETS ? length : ECHO_OCTETS;
	size_t text_length = strlen(text);

	if (length == 0)
		return false;
	for (size_t i = 0; i + part <= length; i++)
		for (size_t j = 0; j + part <= text_length; j++)
			if (strncasecmp(text + j, secret + i, part) == 0)
				return true;
	return false;
}

/* Replace the text of a reply that repeats the secret: some hosts quote what
 * they reject. */
static void
hide_secret(const struct exchange *exchange, struct verdict *verdict)
{
	const char *secret = exchange->credential->secret;
	char base64[BASE64_SIZE(CREDENTIAL_SECRET_SIZE)];
	bool is_secret;

	base64_encode(secret, strlen(secret), base64);
	is_secret = has_part(verdict->reply, secret, strlen(secret)) ||
	    has_part(verdict->reply, base64, strlen(base64)) ||
	    has_part(verdict->reply, exchange->line, strlen(exchange->line));
	explicit_bzero(base64, sizeof(base64));
	if (is_secret)
		(void)strlcpy(verdict->reply + strlen("235 "),
		    "(the host's reply repeats our credentials and is not "
		    "shown)",
		    sizeof(verdict->reply) - strlen("235 "));
}

/* ---- the exchange -------------------------------------------------------- */

/* Set a verdict about trouble that an administrator must resolve. */
static void
set_trouble(const struct exchange *exchange, const char *problem,
    struct verdict *ret_verdict)
{
	dialogue_begin_verdict(exchange->dialogue, ret_verdict);
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.0",
	    "AUTH%s%s with line %u of SMTP_AUTH_FILE: %s",
	    exchange->mechanism != NULL ? " " : "",
	    exchange->mechanism != NULL ? exchange->mechanism->name : "",
	    exchange->credential->line, problem);
	ret_verdict->is_auth_trouble = true;
}

static enum dialogue_result
send_line(struct exchange *exchange, const char *command, const char *text,
    struct verdict *ret_verdict)
{
	const struct dialogue *dialogue = exchange->dialogue;
	enum dialogue_result result =
	    dialogue_check_step(dialogue, STEP_AUTH, ret_verdict);
	int r;

	if (result != DIALOGUE_OK)
		return result;
	/* Not by dialogue_send(), which would leave a copy in memory. */
	if ((r = stream_put(dialogue->stream, command, strlen(command))) < 0 ||
	    (r = stream_put(dialogue->stream, text, strlen(text))) < 0 ||
	    (r = stream_put(dialogue->stream, "\r\n", 2)) < 0)
		return dialogue_set_broken(dialogue, STEP_AUTH, r, ret_verdict);
	return DIALOGUE_OK;
}

static enum dialogue_result
send_response(struct exchange *exchange, struct verdict *ret_verdict)
{
	base64_encode(exchange->response, exchange->response_length,
	    exchange->line);
	exchange->is_pending = false;
	return send_line(exchange, "", exchange->line, ret_verdict);
}

/* AUTH, with the first response if there is one and it fits. */
static enum dialogue_result
send_command(struct exchange *exchange, struct verdict *ret_verdict)
{
	char command[64];
	int r = respond(exchange);

	if (r < 0 && r != -ENODATA) {
		set_trouble(exchange, exchange->problem, ret_verdict);
		return DIALOGUE_LOST;
	}
	(void)snprintf(command, sizeof(command), "AUTH %s",
	    exchange->mechanism->name);
	if (r == -ENODATA)
		return send_line(exchange, command, "", ret_verdict);
	base64_encode(exchange->response, exchange->response_length,
	    exchange->line);
	exchange->is_pending =
	    strlen(command) + 1 + strlen(exchange->line) + 2 > COMMAND_OCTETS;
	if (exchange->is_pending)
		return send_line(exchange, command, "", ret_verdict);
	(void)strlcat(command, " ", sizeof(command));
	return send_line(exchange, command, exchange->line, ret_verdict);
}

static void
on_challenge(void *context, const char *text)
{
	struct exchange *exchange = context;

	exchange->lines++;
	exchange->is_challenge_cut =
	    strlcpy(exchange->challenge, text, sizeof(exchange->challenge)) >=
	    sizeof(exchange->challenge);
}

/* Decode a challenge in place. LOGIN's are prompts in any wording. */
static int
decode_challenge(struct exchange *exchange)
{
	ssize_t n;

	if (exchange->mechanism->bit == CREDENTIAL_LOGIN)
		return 0;
	n = base64_decode(exchange->challenge, exchange->challenge,
	    sizeof(exchange->challenge) - 1);
	exchange->problem = "the host's challenge is not text in base64";
	if (n < 0 || exchange->lines != 1 || exchange->is_challenge_cut ||
	    memchr(exchange->challenge, '\0', (size_t)n) != NULL)
		return -EPROTO;
	exchange->challenge[n] = '\0';
	return 0;
}

/* The host expects another response. */
static enum dialogue_result
continue_exchange(struct exchange *exchange, struct verdict *ret_verdict)
{
	int r = 0;

	if (!exchange->is_pending && (r = decode_challenge(exchange)) == 0)
		r = respond(exchange);
	if (r == 0)
		return send_response(exchange, ret_verdict);
	set_trouble(exchange, exchange->problem, ret_verdict);
	return DIALOGUE_LOST;
}

/* The host has accepted the credential. With SCRAM it must have proven that it
 * knows the password. */
static enum dialogue_result
accept_host(struct exchange *exchange, struct verdict *ret_verdict)
{
	exchange->is_accepted = true;
	if (exchange->mechanism->bit != CREDENTIAL_SCRAM_SHA_256 ||
	    exchange->scram.is_proven)
		return DIALOGUE_OK;
	set_trouble(exchange,
	    "the host has not proven that it knows the password", ret_verdict);
	return DIALOGUE_LOST;
}

/* Make a refusal a deferral. An administrator must resolve a permanent one, and
 * 432, a password transition (RFC 4954 section 6). */
static void
refuse(const struct exchange *exchange, struct verdict *verdict)
{
	bool is_lasting = *verdict->reply == '5' ||
	    (strncmp(verdict->reply, "432", 3) == 0 &&
		strncmp(verdict->status, "4.3.", 4) != 0);

	hide_secret(exchange, verdict);
	(void)snprintf(verdict->reason, sizeof(verdict->reason),
	    "refused at AUTH %s with line %u of SMTP_AUTH_FILE",
	    exchange->mechanism->name, exchange->credential->line);
	verdict->outcome = OUTCOME_DEFERRED;
	verdict->is_auth_trouble = is_lasting;
}

/* Take a reply, and answer it if it is a challenge. */
static enum dialogue_result
take_reply(struct exchange *exchange, struct verdict *ret_verdict)
{
	enum dialogue_result result;

	exchange->lines = 0;
	result = dialogue_read_reply(exchange->dialogue, STEP_AUTH,
	    on_challenge, exchange, ret_verdict);
	switch (result) {
	case DIALOGUE_OK:
		return accept_host(exchange, ret_verdict);
	case DIALOGUE_REFUSED:
		if (strncmp(ret_verdict->reply, "334 ", 4) == 0)
			return continue_exchange(exchange, ret_verdict);
		refuse(exchange, ret_verdict);
		return result;
	default:
		hide_secret(exchange, ret_verdict);
		return result;
	}
}

enum dialogue_result
auth_run(const struct dialogue *dialogue, const struct credential *credential,
    unsigned offered, struct verdict *ret_verdict)
{
	struct exchange exchange = {
		.dialogue = dialogue,
		.credential = credential,
		.mechanism = choose(credential->mechanisms & offered),
	};
	enum dialogue_result result;

	if (exchange.mechanism == NULL) {
		set_trouble(&exchange,
		    offered == 0
			? "the host offers no AUTH mechanism that we support"
			: "the host offers no mechanism that the line allows",
		    ret_verdict);
		return DIALOGUE_REFUSED;
	}
	result = send_command(&exchange, ret_verdict);
	/* The loop ends as each mechanism does: see respond_too_often(). */
	while (result == DIALOGUE_OK && !exchange.is_accepted)
		result = take_reply(&exchange, ret_verdict);
	explicit_bzero(&exchange, sizeof(exchange));
	return result;
}

bool
auth_judge(struct verdict *verdict)
{
	static const char *const codes[] = { "530 ", "534 ", "535 ", "538 " };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strncmp(verdict->reply, codes[i], strlen(codes[i])) == 0) {
			verdict_defer(verdict);
			verdict->is_auth_trouble = true;
			return true;
		}
	return false;
}
