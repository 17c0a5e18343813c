/* SPDX-License-Identifier: ISC */

#ifndef CONNECTION_H
#define CONNECTION_H

#include "smtp-deliver/client/client.h"
#include "smtp-deliver/client/connect.h"
#include "smtp-deliver/route/route.h"
#include "smtp-deliver/worker/requirement.h"

/* A connection over which messages are sent. It outlives a message. */
struct connection {
	struct client *client; /* NULL: none */
	const struct route_host *host; /* that it leads to */
	int message_count; /* sent over it */
	struct tls_memory *memory; /* of the TLS sessions of earlier ones; or
				    * NULL */
};

/*
 * Open an SMTP session with a host. A connection that there was is closed.
 *
 * event	the host's address that has answered; its socket is taken.
 *
 * Returns what client_open() returns. If the session is not open, ret_verdict
 * says why.
 */
enum client_result connection_open(struct connection *connection,
    const struct route_host *host, const struct requirement *requirement,
    const struct connect_event *event, const struct deliver_settings *settings,
    struct verdict *ret_verdict);

/* Close the connection if there is one: with QUIT, or without a word. */
void connection_close(struct connection *connection);
void connection_drop(struct connection *connection);

#endif
