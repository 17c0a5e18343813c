/* SPDX-License-Identifier: ISC */

/*
 * job.c - what a worker is given to do: a message for some of its recipients.
 */

#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "smtp-deliver/worker/job.h"

int
job_init(struct job *job, const struct message *message, size_t recipient_count)
{
	*job = (struct job){
		.message = message,
		.recipient_count = recipient_count,
		.recipients = calloc(recipient_count, sizeof(*job->recipients)),
		.verdicts = calloc(recipient_count, sizeof(*job->verdicts)),
	};
	if (job->recipients != NULL && job->verdicts != NULL)
		return 0;
	job_clear(job);
	return -ENOMEM;
}

void
job_clear(struct job *job)
{
	free(job->recipients);
	free(job->verdicts);
	*job = (struct job){ .message = NULL };
}

void
job_set_verdict(struct job *job, const struct verdict *verdict)
{
	for (size_t i = 0; i < job->recipient_count; i++)
		job->verdicts[i] = *verdict;
}
