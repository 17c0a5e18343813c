/* SPDX-License-Identifier: ISC */

/*
 * outgoing.c - a message as it goes out: as stored, with other senders towards
 * relays (masquerade.c), and signed (dkim.c).
 */

#include "config.h"

#include "lib/clock.h"
#include "smtp-deliver/worker/outgoing.h"

int
outgoing_prepare(struct outgoing *outgoing, const struct message *message,
    const struct dkim *dkim, const struct masquerade *masquerade)
{
	int r = 0;

	outgoing->content.message = message;
	outgoing->content.edit_count = 0;
	outgoing->sender = message->envelope.sender;
	if (masquerade != NULL && masquerade->count > 0) {
		if (masquerade_address(masquerade, outgoing->sender,
			outgoing->other_sender))
			outgoing->sender = outgoing->other_sender;
		r = masquerade_content(masquerade, &outgoing->content);
	}
	outgoing->octets = (struct content_octets){ .in_header = false };
	if (message->envelope.is_smtputf8 || message->envelope.is_8bitmime)
		content_find_octets(&outgoing->content, &outgoing->octets);
	return r < 0 ? r
		     : dkim_sign(dkim, &outgoing->content,
			   clock_real_ms() / 1000, outgoing->signatures);
}
