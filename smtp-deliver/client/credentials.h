/* SPDX-License-Identifier: ISC */

#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/secret.h"
#include "smtp-deliver/settings.h"
#include "smtp-deliver/net/idna.h"

#define CREDENTIALS_MAX 1000 /* lines of a file */
#define CREDENTIALS_FILE_MAX 1048576 /* octets of it */
#define CREDENTIALS_ERROR_SIZE 512
#define CREDENTIAL_USER_SIZE 256
#define CREDENTIAL_SECRET_SIZE 8192

/* Mechanisms of authentication, the strongest first: bits. */
enum credential_mechanism {
	CREDENTIAL_SCRAM_SHA_256 = 1, /* RFC 7677 */
	CREDENTIAL_PLAIN = 2, /* RFC 4616 */
	CREDENTIAL_LOGIN = 4, /* common, though no RFC defines it */
	CREDENTIAL_XOAUTH2 = 8, /* as Google and Microsoft define it */
};
#define CREDENTIAL_PASSWORD \
	(CREDENTIAL_SCRAM_SHA_256 | CREDENTIAL_PLAIN | CREDENTIAL_LOGIN)

/* A line of SMTP_AUTH_FILE: how we authenticate to a relay. */
struct credential {
	char host[DNS_NAME_SIZE]; /* as the DNS has it, or an IP address */
	uint16_t port; /* 0: any */
	unsigned mechanisms; /* that the line allows */
	unsigned line; /* of the file */
	char user[CREDENTIAL_USER_SIZE];
	char *secret; /* a password, prepared (RFC 8265), or a token */
};

/* The lines of SMTP_AUTH_FILE. */
struct credentials {
	size_t count;
	struct credential *entries;
	struct credentials_refusals *refusals;
};

/*
 * Read the file that SMTP_AUTH_FILE names, before the sandbox is entered.
 * Forked processes inherit the result.
 *
 * Returns 0, or -ENOKEY with ret_error naming the file, the line and what was
 * expected, but never the text found, which may be a secret.
 */
int credentials_open(const struct deliver_settings *settings,
    struct credentials **ret_credentials,
    char ret_error[CREDENTIALS_ERROR_SIZE]);
void credentials_close(struct credentials *credentials); /* NULL is fine */

/* Wipe all credentials from this process's memory. No line is found then. */
void credentials_forget(struct credentials *credentials);

/*
 * Parse the contents of such a file: a line for each relay,
 *
 *	HOST[:PORT] MECHANISM USER SECRET
 *
 * where HOST is a NAME, [NAME] or [IP] as in relays.h; lines that begin with
 * "#" are comments. MECHANISM is scram-sha-256, plain, login or xoauth2; or
 * password, for any of the first three. SECRET is the rest of the line.
 *
 * Returns as credentials_open() does; ret_error names the line.
 */
int credentials_parse(const char *text, size_t length,
    struct credentials **ret_credentials, char ret_error[SECRET_ERROR_SIZE]);

/* Find the line for a host and port. A line with the port takes precedence over
 * one without a port. Returns NULL if there is no line. */
const struct credential *credentials_find(const struct credentials *credentials,
    const char *host, int port);

/*
 * Note that a host has rejected a credential; return whether one has done so
 * lately. A run shares this with its workers. The credential is not tried again
 * for ten minutes, since many hosts lock out clients that repeat it.
 *
 * credential	NULL: of all hosts without a line.
 *
 * credentials_note_refusal() returns whether this is the first rejection of the
 * credential in the run.
 */
bool credentials_note_refusal(const struct credentials *credentials,
    const struct credential *credential);
bool credentials_are_refused(const struct credentials *credentials,
    const struct credential *credential);

#endif
