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
 * A message that this process alone may deliver. The claim is the flock(2) on
 * the message's descriptor: the kernel drops it if we die. A process that
 * inherits the descriptor shares the claim; one that opens the file again to
 * read it (message.h) does not.
 */
struct claim {
	struct spool *spool;
	struct queue_entry entry;
	struct message message;
	unsigned attempt; /* number of the attempt to be made, from 1 */
	unsigned fruitful; /* attempts before it that delivered to somebody */
	struct recipient_state *states; /* of each recipient, so far */
	bool is_delay_told; /* the sender has a delay notice */
};

/*
 * Claim an entry, and read the message's envelope and record.
 *
 * Returns 0, -EWOULDBLOCK if another process has it or it is still being
 * accepted, -ENOENT if it has left the queue; -EBADMSG if it is not a complete
 * message, -EACCES, -EPERM or -ENXIO if it is not ours: set it aside then. Or
 * another negative errno.
 */
int claim_open(struct spool *spool, const struct queue_entry *entry,
    struct claim **ret_claim);

/* Drop a claim, or NULL. The message stays where it is. */
void claim_release(struct claim *claim);

/*
 * Append lines to the record. Sets time and number of the attempts; is_untried
 * lines get the number of the attempt before. Recorded deliveries survive a
 * power cut. Returns 0 or a negative errno.
 */
int claim_record(struct claim *claim, struct attempt *attempts, size_t count);

/* The lines of a record, in order. For claim.c alone. */
struct attempts_reader {
	char *text;
	size_t length;
	size_t used; /* octets of lines so far */
	size_t recipient_count;
};

/*
 * Read the record of a claimed message. Returns 0 or a negative errno; no
 * record is not an error, but has no lines. Then get line by line, without
 * damaged lines and those about recipients that the message does not have.
 */
int claim_read_attempts(const struct claim *claim,
    struct attempts_reader *ret_reader);
bool attempts_next(struct attempts_reader *reader, struct attempt *ret_attempt);
void attempts_free(struct attempts_reader *reader);

#endif
