/* SPDX-License-Identifier: ISC */

#ifndef OUTGOING_H
#define OUTGOING_H

#include "lib/address.h"
#include "lib/spool/message.h"
#include "smtp-deliver/content/content.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/content/masquerade.h"

/* A message as it goes out, the same to all hosts of a destination. Points into
 * itself: not to be copied. */
struct outgoing {
	struct content content;
	const char
	    *sender; /* the envelope's, or what relays get in its place */
	char other_sender[ADDRESS_SIZE];
	struct content_octets octets; /* if a client said that there are any */
	char signatures[DKIM_FIELDS_SIZE];
};

/*
 * Edit and sign a message. Reads all of it.
 *
 * dkim		the keys, or NULL: it is not signed.
 * masquerade	other names for senders, or NULL.
 *
 * Returns 0, or a negative errno if it cannot be read or signed: it must not be
 * sent then.
 */
int outgoing_prepare(struct outgoing *outgoing, const struct message *message,
    const struct dkim *dkim, const struct masquerade *masquerade);

#endif
