/* SPDX-License-Identifier: ISC */

#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/spool/envelope.h"
#include "smtp-deliver/client/transaction.h"
#include "smtp-deliver/verdict.h"
#include "smtp-deliver/worker/job.h"

/*
 * The recipients of a job that go into one transaction with a host, one batch
 * after the other:
 *
 *	batch_begin(batch, job, most);
 *	while (batch_next(batch))
 *		batch_take(batch, verdicts, refusal, is_lost);
 */
struct batch {
	struct job *job;
	size_t count; /* of this transaction's recipients: */
	size_t members[ENVELOPE_RECIPIENTS_MAX]; /* which of the job's */

	/* For batch.c alone. */
	size_t limit; /* the most that a transaction may have */
	size_t most; /* that this host takes, as far as we know */
	unsigned lone_refusals; /* of transactions with one recipient, in a
				 * row */
	unsigned char tries[ENVELOPE_RECIPIENTS_MAX]; /* of the job's */
};

/* Begin with a host: it was not offered any open recipient yet. */
void batch_begin(struct batch *batch, struct job *job, size_t limit);

/* Choose the next batch. Returns whether there is a recipient left for it. */
bool batch_next(struct batch *batch);

/* Whether there is a recipient left for another batch. */
bool batch_has_more(const struct batch *batch);

/* List the batch, as which of the envelope's recipients. */
void batch_list(const struct batch *batch, size_t *ret_recipients);

/*
 * Set the verdicts of a transaction with the batch. Those that may be due to
 * the number of recipients become deferrals, and these recipients are left for
 * a smaller batch; a deferral of the whole transaction holds for recipients
 * that were not offered yet as well.
 *
 * verdicts	one for each member.
 * is_lost	the connection was lost.
 *
 * Returns whether there was progress: a delivery, or a smaller batch is due.
 */
bool batch_take(struct batch *batch, const struct verdict *verdicts,
    enum transaction_refusal refusal, bool is_lost);

/* Set verdicts, of which those that are not final do not count: another
 * connection to the host decides. */
void batch_put_off(struct batch *batch, const struct verdict *verdicts);

#endif
