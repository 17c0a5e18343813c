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

/* How a secret may be shown (the strongest first): bits. */
enum credential_mechanism {
	CREDENTIAL_SCRAM_SHA_256 = 1, /* RFC 7677 */
	CREDENTIAL_PLAIN = 2, /* RFC 4616 */
	CREDENTIAL_LOGIN = 4, /* as many hosts have it, and no RFC */
	CREDENTIAL_XOAUTH2 = 8, /* as Google and Microsoft have it */
};
#define CREDENTIAL_PASSWORD \
	(CREDENTIAL_SCRAM_SHA_256 | CREDENTIAL_PLAIN | CREDENTIAL_LOGIN)

/* Who we are for a relay. */
struct credential {
	char host[DNS_NAME_SIZE]; /* as the DNS has it, or an IP address */
	uint16_t port; /* 0: any */
	unsigned mechanisms; /* that may be used */
	unsigned line; /* of the file */
	char user[CREDENTIAL_USER_SIZE];
	char *secret; /* a password, prepared; or a token */
};

/* Those of SMTP_AUTH_FILE. */
struct credentials {
	size_t count;
	struct credential *entries;
	struct credentials_refusals *refusals;
};

/*
 * Read the file that SMTP_AUTH_FILE names, which is before a wall closes;
 * whoever forks hands them on.
 *
 * Returns 0, or -ENOKEY with ret_error naming the file, the line and what was
 * expected there; never what was found, which may be a secret.
 */
int credentials_open(const struct deliver_settings *settings,
    struct credentials **ret_credentials,
    char ret_error[CREDENTIALS_ERROR_SIZE]);
void credentials_close(struct credentials *credentials); /* NULL is fine */

/* Wipe them out of this process's memory: there are none then. */
void credentials_forget(struct credentials *credentials);

/*
 * Parse what such a file holds: a line for each relay,
 *
 *	HOST[:PORT] MECHANISM USER SECRET
 *
 * with what nexthop.h calls a NAME, [NAME] or [IP] for a host; and comments,
 * lines that begin with "#". MECHANISM is password (any of those three), or
 * scram-sha-256, plain, login or xoauth2 alone. SECRET is the rest of the line.
 *
 * Returns the same; ret_error names the line.
 */
int credentials_parse(const char *text, size_t length,
    struct credentials **ret_credentials, char ret_error[SECRET_ERROR_SIZE]);

/* Those for the host that is connected to; a line with that port counts more
 * than one without. NULL: there are none. */
const struct credential *credentials_find(const struct credentials *credentials,
    const char *host, int port);

/*
 * What a run and its workers know of each other: that a host refuses us. Nobody
 * asks it again for a while with the same credentials, for many hosts lock out
 * who does.
 *
 * credential	NULL: the hosts that there are none for.
 *
 * credentials_note_refusal()	returns whether it is the first of this run.
 */
bool credentials_note_refusal(const struct credentials *credentials,
    const struct credential *credential);
bool credentials_are_refused(const struct credentials *credentials,
    const struct credential *credential);

#endif
