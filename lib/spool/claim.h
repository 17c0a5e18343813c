/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_CLAIM_H
#define SPOOL_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/spool/attempts.h"
#include "lib/spool/entry.h"
#include "lib/spool/envelope.h"
#include "lib/spool/spool.h"

/*
 * A message that this process alone may deliver. Its fd, an flock(2) on it,
 * is the claim: the kernel drops it if we die. A process that is handed the
 * descriptor shares the claim.
 */
struct claim {
	struct spool *spool;
	struct queue_entry entry;
	int fd;
	struct envelope envelope;
	uint64_t content_offset; /* of the message within the file */
	uint64_t content_size;
	unsigned attempt; /* the number of the attempt now to be made, from 1 */
	enum outcome *outcomes; /* a recipient each, of the attempts before */
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
/*
 * What a process sees of a claimed message that it was handed a descriptor of:
 * envelope and content. It is no claim, no spool is needed, and nothing can be
 * recorded.
 *
 * fd	becomes the view's, if it can be made.
 *
 * Returns 0 or a negative errno.
 */
int claim_view(int fd, struct claim **ret_claim);
/* Let go of a message, wherever it is. NULL is fine. */
void claim_release(struct claim *claim);

/*
 * Put on record what became of some recipients. Time and number of the attempt
 * are filled in here; what is_untried goes with the attempt before. A delivery
 * that was recorded survives a power cut.
 */
int claim_record(struct claim *claim, struct attempt *attempts, size_t count);

/* Have every line that is on record seen, in order. Returns 0 or a negative
 * errno; that there is no record is none. */
typedef void claim_see(void *context, const struct attempt *attempt);
int claim_recall(const struct claim *claim, claim_see *see, void *context);

/* Read the message from its start, up to a size or its end. Returns how much
 * that is, or a negative errno. */
ssize_t claim_read(const struct claim *claim, char *buffer, size_t size_bytes);

#endif
