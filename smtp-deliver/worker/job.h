/* SPDX-License-Identifier: ISC */

#ifndef JOB_H
#define JOB_H

#include <stddef.h>

#include "lib/spool/message.h"
#include "smtp-deliver/verdict.h"

/* The recipients that a message has at one destination, and what became of
 * them. A recipient is open until its verdict is final. */
struct job {
	const struct message *message;
	size_t recipient_count;
	size_t *recipients; /* which of the envelope's; owned */
	struct verdict *verdicts; /* one for each of them; owned */
};

/* Allocate a job for so many recipients. Returns 0, or -ENOMEM with nothing to
 * be cleared. */
int job_init(struct job *job, const struct message *message,
    size_t recipient_count);
void job_clear(struct job *job);

/* Give all recipients a verdict. */
void job_set_verdict(struct job *job, const struct verdict *verdict);

/* Count the open recipients; list them, as which of the envelope's; give them
 * all a verdict. */
size_t job_count_open(const struct job *job);
void job_list_open(const struct job *job, size_t *ret_recipients);
void job_set_open(struct job *job, const struct verdict *verdict);

#endif
