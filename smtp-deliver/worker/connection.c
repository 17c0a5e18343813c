/* SPDX-License-Identifier: ISC */

/*
 * connection.c - the connection of a worker, which may serve several messages.
 */

#include "config.h"

#include "smtp-deliver/worker/connection.h"

enum client_result
connection_open(struct connection *connection, const struct route_host *host,
    const struct requirement *requirement, const struct connect_event *event,
    const struct deliver_settings *settings, struct verdict *ret_verdict)
{
	connection_close(connection);
	connection->host = host;
	connection->message_count = 0;
	return client_open(&requirement->trust, event->fd, event->address,
	    requirement->credential, connection->memory, settings,
	    &connection->client, ret_verdict);
}

void
connection_close(struct connection *connection)
{
	client_quit(connection->client);
	connection->client = NULL;
}

void
connection_drop(struct connection *connection)
{
	client_drop(connection->client);
	connection->client = NULL;
}
