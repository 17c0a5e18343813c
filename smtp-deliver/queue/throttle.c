/* SPDX-License-Identifier: ISC */

/*
 * throttle.c - make no attempts at destinations that cannot be reached.
 *
 * The spool has times of the real clock. After a change of that clock they may
 * be impossible, or far ahead: such a state is ignored.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "lib/text.h"
#include "smtp-deliver/queue/backoff.h"
#include "smtp-deliver/queue/record.h"
#include "smtp-deliver/queue/throttle.h"
#include "smtp-deliver/redact.h"

#define UNUSABLE_MS 60000

/* Mail moved to queue/new by hand ends a throttle, once in so long. */
#define URGE_MS 60000

static void
recall(struct spool *spool, struct destination *destination)
{
	struct unreachable *unreachable = &destination->unreachable;
	int64_t now_real_ms = clock_real_ms();

	destination->is_recalled = true;
	destination->is_unreachable =
	    unreachable_recall(spool, destination->name, unreachable) == 0 &&
	    unreachable->last.time_real_ms <= now_real_ms &&
	    unreachable->until_real_ms <= now_real_ms + BACKOFF_REACH_MAX_MS &&
	    now_real_ms - unreachable->until_real_ms <= UNREACHABLE_AGE_MS;
}

/* Whether this run has not tried the destination just now. */
static bool
can_be_urged(const struct destination *destination)
{
	return destination->failed_mono_ms == 0 ||
	    clock_mono_ms() - destination->failed_mono_ms >= URGE_MS;
}

static bool
is_unreachable_now(const struct destination *destination)
{
	return destination->is_unreachable &&
	    clock_real_ms() < destination->unreachable.until_real_ms;
}

void
throttle_update(struct spool *spool, struct destination *destination)
{
	if (!destination->is_recalled)
		recall(spool, destination);
	if (destination->is_urged && can_be_urged(destination))
		destination->unreachable.until_real_ms = 0;
	destination->is_urged = false;
	if (destination->unusable_until_mono_ms != 0 &&
	    clock_mono_ms() >= destination->unusable_until_mono_ms)
		destination->unusable_until_mono_ms = 0;
	if (destination->no_network_until_mono_ms != 0 &&
	    clock_mono_ms() >= destination->no_network_until_mono_ms)
		destination->no_network_until_mono_ms = 0;
	destination->is_throttled = destination->unusable_until_mono_ms != 0 ||
	    destination->no_network_until_mono_ms != 0 ||
	    is_unreachable_now(destination);
}

static void
log_change(struct spool *spool, enum audit_event event,
    const struct destination *destination, const struct envelope *envelope)
{
	const struct unreachable *unreachable = &destination->unreachable;
	struct attempt_detail detail;
	struct redact redact = { .spool = spool,
		.sender = "",
		.recipient = "" };
	char next[CLOCK_DATE_SIZE], reason[REDACT_SIZE], reply[REDACT_SIZE];
	struct audit_record record = {
		.event = event,
		.message = envelope != NULL ? envelope->id : NULL,
		.submitter = envelope != NULL ? &envelope->submitter : NULL,
		.address = destination->name,
		.attempt = unreachable->last.number,
	};

	attempt_get_detail(&unreachable->last, &detail);
	record.host = text_or_null(detail.host);
	if (event == AUDIT_UNREACHED) {
		clock_format_date(unreachable->until_real_ms, next);
		record.next = next;
		record.reason = redact_text(&redact, detail.reason, reason);
		record.reply =
		    redact_text(&redact, text_or_null(detail.reply), reply);
	}
	audit_write(&record);
}

void
throttle_note_unreachable(struct spool *spool, struct destination *destination,
    const struct verdict *verdict, const struct envelope *envelope)
{
	struct unreachable *unreachable = &destination->unreachable;
	int64_t now_real_ms = clock_real_ms();

	if (!destination->is_unreachable)
		*unreachable =
		    (struct unreachable){ .since_real_ms = now_real_ms };
	destination->is_unreachable = destination->is_throttled = true;
	destination->failed_mono_ms = clock_mono_ms();
	unreachable->last.number++;
	unreachable->last.time_real_ms = now_real_ms;
	unreachable->last.state.outcome = OUTCOME_DEFERRED;
	(void)strlcpy(unreachable->last.status, verdict->status,
	    sizeof(unreachable->last.status));
	attempt_set_detail(&unreachable->last, verdict->host, verdict->reason,
	    verdict->reply);
	unreachable->until_real_ms = backoff_reach_real_ms(now_real_ms,
	    unreachable->last.number, arc4random());
	/* If the spool cannot keep it, this run still knows. */
	(void)unreachable_remember(spool, destination->name, unreachable);
	if (unreachable->last.number == 1)
		log_change(spool, AUDIT_UNREACHED, destination, envelope);
}

void
throttle_note_answer(struct spool *spool, struct destination *destination)
{
	if (!destination->is_unreachable)
		return;
	destination->is_unreachable = destination->is_throttled = false;
	(void)unreachable_forget(spool, destination->name);
	log_change(spool, AUDIT_REACHED_AGAIN, destination, NULL);
}

void
throttle_note_unusable(struct destination *destination,
    const struct verdict *verdict)
{
	destination->is_throttled = true;
	destination->unusable_until_mono_ms = clock_mono_ms() + UNUSABLE_MS;
	destination->unusable = *verdict;
}

void
throttle_note_no_network(struct destination *destination)
{
	destination->is_throttled = true;
	destination->no_network_until_mono_ms =
	    clock_mono_ms() + THROTTLE_NO_NETWORK_MS;
}

void
throttle_defer_job(const struct destination *destination, struct task_job *job)
{
	const struct unreachable *unreachable = &destination->unreachable;

	if (destination->unusable_until_mono_ms != 0) {
		job_set_verdict(&job->work, &destination->unusable);
		record_verdicts(job, 0);
	} else if (is_unreachable_now(destination))
		record_throttled(job, unreachable,
		    backoff_follow_minute(unreachable->until_real_ms,
			unreachable->last.number, arc4random()));
	else
		record_offline(job);
}
