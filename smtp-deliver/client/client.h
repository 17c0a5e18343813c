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

/* What a host has offered in its reply to EHLO. */
struct client_offers {
	bool has_starttls;
	bool has_8bitmime;
	bool has_smtputf8;
	bool has_pipelining;
	bool has_dsn;
	bool has_requiretls;
	unsigned auth; /* mechanisms: enum credential_mechanism */
	bool has_size;
	uint64_t size_max; /* 0: it set no limit */
};

/* A connection to a remote host over which messages can be sent: transaction.h.
 * TLS was started as the host's policy wants it (promise P5). */
struct client {
	struct dialogue dialogue;
	struct client_offers offers;
	int fd;
	struct tls_memory *memory; /* the caller's */
};

/*
 * Be greeted, say EHLO (or HELO), start TLS, authenticate.
 *
 * trust	the policy for TLS with this host, its name within; used during
 *		the call only.
 * fd		a connection to one of its addresses; taken, whatever happens.
 * credential	NULL, or who we are for the host, which is used then only if it
 *		has TLS, verifies, and takes these.
 * memory	of TLS sessions (lib/tls.h), which the connection may resume and
 *		keeps to its end; or NULL.
 *
 * Returns 0, or -EHOSTUNREACH with ret_verdict telling why this host is not
 * used now.
 */
int client_open(const struct trust *trust, int fd,
    const struct addrinfo *address, const struct credential *credential,
    struct tls_memory *memory, const struct deliver_settings *settings,
    struct client **ret_client, struct verdict *ret_verdict);

/* The verdict on an address of a host that there is no connection to. */
void client_set_unconnected(const struct trust *trust,
    const struct addrinfo *address, const char *reason,
    struct verdict *ret_verdict);

/* Whether there is TLS under it. */
static inline bool
client_is_secure(const struct client *client)
{
	return *client->dialogue.tls != '\0';
}

/* Say goodbye, or just hang up. NULL is fine. */
void client_quit(struct client *client);
void client_drop(struct client *client);

#endif
