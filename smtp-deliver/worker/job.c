/* SPDX-License-Identifier: ISC */

/*
 * job.c - what a worker gets to do: a message for some of its recipients.
 */

#include "config.h"

#include <errno.h>
#include <stdbool.h>
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

static bool
is_open(const struct job *job, size_t recipient)
{
	return !is_final(job->verdicts[recipient].outcome);
}

size_t
job_count_open(const struct job *job)
{
	size_t count = 0;

	for (size_t i = 0; i < job->recipient_count; i++)
		count += is_open(job, i);
	return count;
}

void
job_list_open(const struct job *job, size_t *ret_recipients)
{
	for (size_t i = 0; i < job->recipient_count; i++)
		if (is_open(job, i))
			*ret_recipients++ = job->recipients[i];
}

void
job_set_open(struct job *job, const struct verdict *verdict)
{
	for (size_t i = 0; i < job->recipient_count; i++)
		if (is_open(job, i))
			job->verdicts[i] = *verdict;
}
