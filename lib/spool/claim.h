/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_CLAIM_H
#define SPOOL_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/spool/attempts.h"
#include "lib/spool/entry.h"
#include "lib/spool/message.h"
#include "lib/spool/spool.h"

/*
 * A message that this process alone may deliver. The flock(2) on the message's
 * descriptor is the claim: the kernel drops it if we die. A process that is
 * handed the descriptor shares the claim; one that opens the file anew, to read
 * the message (message.h), does not.
 */
struct claim {
	struct spool *spool;
	struct queue_entry entry;
	struct message message;
	unsigned attempt; /* the number of the attempt now to be made, from 1 */
	struct recipient_state *states; /* of each recipient, so far */
	bool is_delay_told; /* to the sender */
};

/*
 * Claim an entry and read what is known of it.
 *
 * Returns 0, -EWOULDBLOCK if somebody else has it or it is still being
 * accepted, -ENOENT if it has left the queue, -EBADMSG if it is no whole
 * message, -EACCES, -EPERM or -ENXIO if it is somebody else's: set it aside then. Or
 * another negative errno.
 */
int claim_open(struct spool *spool, const struct queue_entry *entry,
    struct claim **ret_claim);

/* Let go of a message, wherever it is. NULL is fine. */
void claim_release(struct claim *claim);

/*
 * Put on record what became of some recipients. Time and number of the attempt
 * are filled in here; what is_untried goes with the attempt before. A delivery
 * that was recorded survives a power cut.
 */
int claim_record(struct claim *claim, struct attempt *attempts, size_t count);

/* The lines that are on record, in order. */
struct attempts_reader {
	char *text;
	size_t length;
	size_t used; /* octets of lines that were returned */
	size_t recipient_count;
};

/*
 * Read the record of a claimed message; get the next line. Damaged lines, and
 * lines about a recipient that the message does not have, are skipped.
 *
 * claim_read_attempts() returns 0, with an empty record if there is none, or a
 * negative errno.
 */
int claim_read_attempts(const struct claim *claim,
    struct attempts_reader *ret_reader);
bool attempts_next(struct attempts_reader *reader, struct attempt *ret_attempt);
void attempts_free(struct attempts_reader *reader);

#endif
