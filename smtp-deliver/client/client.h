/* SPDX-License-Identifier: ISC */

#ifndef CLIENT_H
#define CLIENT_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "smtp-deliver/settings.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/client/dialogue.h"
#include "smtp-deliver/policy/trust.h"
#include "smtp-deliver/verdict.h"

/* The status of a TLS handshake that has failed (RFC 3463 section 3.8). */
#define CLIENT_STATUS_TLS "4.7.5"

/* What a host offers in its reply to EHLO. */
struct client_offers {
	bool has_starttls;
	bool has_8bitmime;
	bool has_smtputf8;
	bool has_pipelining;
	bool has_dsn;
	bool has_requiretls;
	unsigned auth; /* mechanisms: enum credential_mechanism */
	bool has_size;
	uint64_t size_max; /* 0: no limit */
};

/* A connection to a remote host, ready for messages (transaction.h). TLS is as
 * the host's policy requires (promise P5). */
struct client {
	struct dialogue dialogue;
	struct client_offers offers;
	bool is_verified; /* it has TLS with a certificate that was verified */
	int fd;
	struct tls_memory *memory; /* owned by the caller */
};

/* Whether there is a session. */
enum client_result {
	CLIENT_OPEN,
	CLIENT_UNVERIFIED, /* the host's certificate does not verify */
	CLIENT_UNUSABLE, /* the host is not used, for another reason */
};

/*
 * Open a session: greeting, EHLO (or HELO), STARTTLS, AUTH.
 *
 * trust	the host's name and TLS policy; used during the call only.
 * fd		a connection to the address. It is closed with the client, or
 *		before the call returns without one.
 * credential	how to authenticate, or NULL. If it is given, the host must have
 *		verified TLS and accept the credential.
 * memory	earlier TLS sessions (lib/tls.h) that the connection may resume,
 *		or NULL. It is used until the connection ends.
 *
 * Returns CLIENT_OPEN. If the session is not open, ret_verdict says why.
 */
enum client_result client_open(const struct trust *trust, int fd,
    const struct addrinfo *address, const struct credential *credential,
    struct tls_memory *memory, const struct deliver_settings *settings,
    struct client **ret_client, struct verdict *ret_verdict);

/* Set the verdict for a host's address to which no connection could be made. */
void client_set_unconnected(const struct trust *trust,
    const struct addrinfo *address, const char *reason,
    struct verdict *ret_verdict);

/* Whether the connection has TLS. */
static inline bool
client_is_secure(const struct client *client)
{
	return *client->dialogue.tls != '\0';
}

/* Whether it has TLS with a verified certificate. */
static inline bool
client_is_verified(const struct client *client)
{
	return client->is_verified;
}

/* End the session with QUIT, or only close the connection. NULL is ignored. */
void client_quit(struct client *client);
void client_drop(struct client *client);

#endif
