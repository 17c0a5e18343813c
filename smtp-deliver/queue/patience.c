/* SPDX-License-Identifier: ISC */

/*
 * patience.c - leave destinations alone that cannot be reached.
 *
 * On disk is the clock's time. A clock that was set back would have them wait
 * for long: what cannot be true is not believed.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/queue/backoff.h"
#include "smtp-deliver/queue/patience.h"

#define UNUSABLE_MS 60000

/* An administrator who cannot wait has it tried anew so often. */
#define URGE_MS 60000

static void
recall(struct spool *spool, struct destination *destination)
{
	struct unreached *unreached = &destination->unreached;
	int64_t now_ms = clock_real_ms();

	destination->is_known = true;
	destination->is_unreached =
	    unreached_recall(spool, destination->name, unreached) == 0 &&
	    unreached->last.time_ms <= now_ms &&
	    unreached->until_ms <= now_ms + BACKOFF_REACH_MAX_MS &&
	    now_ms - unreached->until_ms <= UNREACHED_AGE_MS;
}

/* Whether this run has not tried it a moment ago. */
static bool
can_be_urged(const struct destination *destination)
{
	return destination->failed_ms == 0 ||
	    clock_mono_ms() - destination->failed_ms >= URGE_MS;
}

static bool
is_unreached_now(const struct destination *destination)
{
	return destination->is_unreached &&
	    clock_real_ms() < destination->unreached.until_ms;
}

void
patience_look(struct spool *spool, struct destination *destination)
{
	if (!destination->is_known)
		recall(spool, destination);
	if (destination->is_urged && can_be_urged(destination))
		destination->unreached.until_ms = 0;
	destination->is_urged = false;
	if (destination->unusable_until_ms != 0 &&
	    clock_mono_ms() >= destination->unusable_until_ms)
		destination->unusable_until_ms = 0;
	if (destination->no_network_until_ms != 0 &&
	    clock_mono_ms() >= destination->no_network_until_ms)
		destination->no_network_until_ms = 0;
	destination->is_waiting = destination->unusable_until_ms != 0 ||
	    destination->no_network_until_ms != 0 ||
	    is_unreached_now(destination);
}

static void
log_change(enum audit_event event, const struct destination *destination,
    const char *message)
{
	const struct unreached *unreached = &destination->unreached;
	struct attempt_detail detail;
	char next[CLOCK_DATE_SIZE];
	struct audit_record record = {
		.event = event,
		.message = message,
		.address = destination->name,
		.attempt = unreached->last.number,
	};

	attempt_get_detail(&unreached->last, &detail);
	record.host = *detail.host != '\0' ? detail.host : NULL;
	if (event == AUDIT_UNREACHED) {
		clock_format_date(unreached->until_ms, next);
		record.next = next;
		record.reason = detail.reason;
		record.reply = *detail.reply != '\0' ? detail.reply : NULL;
	}
	audit_write(&record);
}

void
patience_note_failure(struct spool *spool, struct destination *destination,
    const struct verdict *verdict, const char *message)
{
	struct unreached *unreached = &destination->unreached;
	int64_t now_ms = clock_real_ms();

	if (!destination->is_unreached)
		*unreached = (struct unreached){ .since_ms = now_ms };
	destination->is_unreached = destination->is_waiting = true;
	destination->failed_ms = clock_mono_ms();
	unreached->last.number++;
	unreached->last.time_ms = now_ms;
	unreached->last.outcome = OUTCOME_DEFERRED;
	(void)strlcpy(unreached->last.status, verdict->status,
	    sizeof(unreached->last.status));
	attempt_set_detail(&unreached->last, verdict->host, verdict->reason,
	    verdict->reply);
	unreached->until_ms =
	    backoff_reach_ms(now_ms, unreached->last.number, arc4random());
	/* Where it cannot be kept this run knows it all the same. */
	(void)unreached_remember(spool, destination->name, unreached);
	if (unreached->last.number == 1)
		log_change(AUDIT_UNREACHED, destination, message);
}

void
patience_note_answer(struct spool *spool, struct destination *destination)
{
	if (!destination->is_unreached)
		return;
	destination->is_unreached = destination->is_waiting = false;
	(void)unreached_forget(spool, destination->name);
	log_change(AUDIT_REACHED_AGAIN, destination, NULL);
}

void
patience_note_unusable(struct destination *destination,
    const struct verdict *verdict)
{
	destination->is_waiting = true;
	destination->unusable_until_ms = clock_mono_ms() + UNUSABLE_MS;
	destination->unusable = *verdict;
}

void
patience_note_no_network(struct destination *destination)
{
	destination->is_waiting = true;
	destination->no_network_until_ms =
	    clock_mono_ms() + PATIENCE_NO_NETWORK_MS;
}

void
patience_pass_by(const struct destination *destination, struct job *job)
{
	const struct unreached *unreached = &destination->unreached;

	if (destination->unusable_until_ms != 0) {
		job_set_verdict(job, &destination->unusable);
		task_judge(job, 0);
	} else if (is_unreached_now(destination))
		task_pass_by(job, unreached,
		    backoff_follow_minute(unreached->until_ms,
			unreached->last.number, arc4random()));
	else
		task_leave(job);
}
