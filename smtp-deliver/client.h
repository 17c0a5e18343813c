/* SPDX-License-Identifier: ISC */

#ifndef CLIENT_H
#define CLIENT_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/settings.h"
#include "lib/spool/envelope.h"
#include "smtp-deliver/verdict.h"

/*
 * A connection to a remote host: the client's side of an SMTP dialogue
 * (RFC 5321; STARTTLS of RFC 3207 whenever it is offered, promise P5).
 */
struct client;

/*
 * Connect, be greeted, say EHLO (or HELO), start TLS.
 *
 * host		its name, which its certificate must be for.
 *
 * Returns 0, or -EHOSTUNREACH with ret_verdict telling why this host is not
 * used now.
 */
int client_open(const char *host, const struct sockaddr *address,
    socklen_t address_length, const struct settings *settings,
    struct client **ret_client, struct verdict *ret_verdict);

/* Say goodbye, or just hang up. NULL is fine. */
void client_quit(struct client *client);
void client_drop(struct client *client);

/* A message for some of its recipients. */
struct client_message {
	const struct envelope *envelope;
	int fd; /* the message is within this file; its offset is not used */
	uint64_t offset;
	uint64_t size_bytes;
	const size_t *recipients; /* which of the envelope's */
	size_t recipient_count;
};

enum client_state {
	CLIENT_READY, /* the connection can be used for another message */
	CLIENT_LOST, /* it cannot */
	CLIENT_UNSURE, /* it broke when the host may have had the message: it is
			* not to be offered elsewhere at once (RFC 1047) */
};

/*
 * Hand a message over, in one transaction (RFC 5321 section 3.3).
 *
 * ret_verdicts		one for each of message->recipients.
 */
enum client_state client_send(struct client *client,
    const struct client_message *message, struct verdict *ret_verdicts);

#endif
