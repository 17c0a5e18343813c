/* SPDX-License-Identifier: ISC */

#ifndef TRANSACTION_H
#define TRANSACTION_H

#include <stddef.h>
#include <stdint.h>

#include "lib/spool/envelope.h"
#include "smtp-deliver/client/client.h"
#include "smtp-deliver/content/content.h"
#include "smtp-deliver/verdict.h"

/* A message for some of its recipients. */
struct transaction_message {
	const struct envelope *envelope;
	const char *sender; /* the envelope's, or what relays are told */
	const struct content *content;
	const char *fields; /* of its header, to be sent before it; may be "" */
	const size_t *recipients; /* which of the envelope's */
	size_t recipient_count;
};

enum transaction_end {
	TRANSACTION_READY, /* the connection can be used for another message */
	TRANSACTION_LOST, /* it cannot */
	TRANSACTION_UNSURE, /* it broke when the host may have had the message:
			     * it is not to be offered elsewhere at once
			     * (RFC 1047) */
};

/* Whether the host offers what the message needs: room, 8BITMIME, SMTPUTF8.
 * Without MIME conversion of ours it cannot go there else; ret_verdict, which
 * is for those who no host is left for, says what is lacking. */
bool transaction_can_take(const struct client *client,
    const struct transaction_message *message, struct verdict *ret_verdict);

/*
 * Hand a message over, in one transaction (RFC 5321 section 3.3).
 *
 * client	one that can take it, and for a message with REQUIRETLS one that
 *		may have it: requiretls.h.
 * ret_verdicts	one for each of message->recipients.
 */
enum transaction_end transaction_run(struct client *client,
    const struct transaction_message *message, struct verdict *ret_verdicts);

#endif
