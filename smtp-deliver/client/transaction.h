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
	const char *sender; /* the envelope's, or its masquerade */
	const struct content *content;
	struct content_octets octets; /* of the content; needed if a client said
				       * SMTPUTF8 or 8BITMIME */
	const char
	    *fields; /* header fields to send before the content; may be "" */
	const size_t *recipients; /* which of the envelope's */
	size_t recipient_count;
};

enum transaction_end {
	TRANSACTION_READY, /* the connection can be used for another message */
	TRANSACTION_LOST, /* the connection is unusable */
	TRANSACTION_UNSURE, /* lost, and the host may have the message, so that
			     * no other host gets it now (RFC 1047) */
};

/* What the host refused, or the connection was lost at, for all recipients that
 * it had not refused before. */
enum transaction_refusal {
	REFUSAL_NONE,
	REFUSAL_MAIL,
	REFUSAL_DATA,
	REFUSAL_CONTENT, /* all of it, or a part, was sent */
};

/* Whether the host offers what the message needs: size; SMTPUTF8 for addresses
 * and header fields that are not ASCII (RFC 6531, RFC 6532); 8BITMIME for text.
 * Messages are not converted. ret_verdict says what the host lacks; it applies
 * to recipients for whom no other host is left. */
bool transaction_can_take(const struct client *client,
    const struct transaction_message *message, struct verdict *ret_verdict);

/*
 * Send a message in one transaction (RFC 5321 section 3.3).
 *
 * client	transaction_can_take() is true for it. If the message has
 *		REQUIRETLS, it meets that (requiretls.h).
 * ret_verdicts	one for each of message->recipients.
 * ret_refusal	what was refused, for now or for good.
 */
enum transaction_end transaction_run(struct client *client,
    const struct transaction_message *message, struct verdict *ret_verdicts,
    enum transaction_refusal *ret_refusal);

#endif
