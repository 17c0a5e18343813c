/* SPDX-License-Identifier: ISC */

#ifndef MESSAGE_H
#define MESSAGE_H

/*
 * A message for the unit tests of the spool, from its envelope to its draft.
 */

#include "lib/spool/draft.h"
#include "t/unit/folder.h"

#define MESSAGE_TEXT "Subject: test\r\n\r\nbody\r\n"

/* The recipients end in NULL. */
static inline struct envelope
message_envelope(const char *sender, const char *const *recipients)
{
	struct envelope envelope = { .sender = NULL };

	need(id_make(envelope.id) == 0);
	need(envelope_set_sender(&envelope, sender) == 0);
	for (; *recipients != NULL; recipients++)
		need(envelope_add_recipient(&envelope, *recipients) == 0);
	return envelope;
}

static inline struct draft *
message_draft(struct spool *spool, const struct envelope *envelope)
{
	struct draft *draft;

	need(draft_begin(spool, envelope, &draft) == 0);
	need(draft_write(draft, MESSAGE_TEXT, sizeof(MESSAGE_TEXT) - 1) == 0);
	return draft;
}

/* Put a message into the spool; its id is ret_id. */
static inline void
message_put(struct spool *spool, const char *const *recipients,
    char ret_id[ID_SIZE])
{
	struct envelope envelope =
	    message_envelope("sender@example.com", recipients);
	struct draft *draft = message_draft(spool, &envelope);

	need(draft_commit(draft) == 0);
	draft_free(draft);
	memcpy(ret_id, envelope.id, ID_SIZE);
	envelope_clear(&envelope);
}

#endif
