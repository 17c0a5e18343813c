/* SPDX-License-Identifier: ISC */

/*
 * auth.c - AUTH for applications that insist on it (RFC 4954): the mechanisms
 * PLAIN (RFC 4616) and LOGIN.
 *
 * Clients are on this host and need no authentication. With SMTP_AUTH=any all
 * credentials are accepted. They are neither kept nor looked at, and no part of
 * them is in a reply or in the audit trail.
 */

#include "config.h"

#include <string.h>
#include <strings.h>

#include "lib/base64.h"
#include "smtp-session/auth.h"

struct mechanism {
	const char *name;
	unsigned answers; /* of the client */
	const char *challenge; /* for the first one */
};

/* The challenges of LOGIN are "Username:" and "Password:". */
static const struct mechanism mechanisms[] = {
	{ "PLAIN", 1, "" },
	{ "LOGIN", 2, "VXNlcm5hbWU6" },
};

static const char last_challenge[] = "UGFzc3dvcmQ6";

static bool
is_base64(const char *text)
{
	char octets[AUTH_LINE_MAX];

	return base64_decode(text, octets, sizeof(octets)) >= 0;
}

static struct reply
challenge(const char *text)
{
	return reply_make(334, NULL, text);
}

struct reply
auth_answer(struct session *session, const char *text)
{
	session->state = S_GREETED;
	if (strcmp(text, "*") == 0)
		return reply_make(501, "5.7.0", "authentication cancelled");
	if (!is_base64(text))
		return reply_make(501, "5.5.2", "expected base64");
	if (--session->auth_answers > 0) {
		session->state = S_AUTH;
		return challenge(last_challenge);
	}
	session->is_authenticated = true;
	return reply_make(235, "2.7.0", "accepted, though not needed here");
}

static const struct mechanism *
find_mechanism(const char *name)
{
	for (size_t i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++)
		if (strcasecmp(name, mechanisms[i].name) == 0)
			return &mechanisms[i];
	return NULL;
}

/* The argument is a mechanism, and perhaps the first answer; "=" is an empty
 * one. */
struct reply
cmd_auth(struct session *session, char *argument)
{
	const char *name = strsep(&argument, " ");
	const struct mechanism *mechanism = find_mechanism(name);

	if (session->settings->auth == AUTH_NONE)
		return reply_make(502, "5.5.1", "AUTH is not configured");
	if (session->is_authenticated)
		return reply_make(503, "5.5.1", "AUTH was accepted already");
	if (*name == '\0')
		return reply_make(501, "5.5.4", "expected PLAIN or LOGIN");
	if (mechanism == NULL)
		return reply_make(504, "5.5.4",
		    "unknown mechanism, expected PLAIN or LOGIN");
	session->auth_answers = mechanism->answers;
	if (argument != NULL)
		return auth_answer(session,
		    strcmp(argument, "=") == 0 ? "" : argument);
	session->state = S_AUTH;
	return challenge(mechanism->challenge);
}
