/* SPDX-License-Identifier: ISC */

/*
 * intake.c - look through the queue, and claim what is due.
 */

#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-deliver/queue/intake.h"

#define LOCKED_WAIT_MIN_MS 20
#define LOCKED_WAIT_MAX_MS 1000
#define TROUBLE_WAIT_MS 10000

void
intake_open(struct intake *intake)
{
	intake->locked_wait_ms = LOCKED_WAIT_MIN_MS;
}

void
intake_close(struct intake *intake)
{
	scan_close(intake->scan);
}

static void
log_trouble(const char *what, int error)
{
	char reason[256];

	(void)snprintf(reason, sizeof(reason), "%s: %s", what,
	    strerror(-error));
	audit_write(&(struct audit_record){
	    .event = AUDIT_TROUBLE,
	    .reason = reason,
	});
}

/* What is no message, or is kept from us, is not to be met at every run. */
static void
set_aside(struct intake *intake, const struct queue_entry *entry, int error)
{
	char reason[NAME_MAX + 64];
	int r = queue_set_aside(intake->means->queue, entry);

	if (r < 0 && r != -ENOENT) {
		log_trouble("a damaged queue file cannot be set aside", r);
		intake->is_troubled = true;
		return;
	}
	(void)snprintf(reason, sizeof(reason), "%s: %s", entry->name,
	    error == -EBADMSG ? "no whole message of ours" : strerror(-error));
	audit_write(&(struct audit_record){
	    .event = AUDIT_SET_ASIDE,
	    .message = is_id(entry->name) ? entry->name : NULL,
	    .reason = reason,
	});
}

static void
take_entry(struct intake *intake, const struct queue_entry *entry)
{
	struct task *task;
	int r;

	if (intake->has_task(intake->context, entry->name))
		return;
	r = task_open(intake->means, entry, &task);
	switch (r) {
	case 0:
		intake->take(intake->context, task);
		break;
	case -ENOENT:
		break;
	case -EWOULDBLOCK:
		/* A retry that somebody else has is theirs; new mail may just
		 * be on its way in. */
		if (entry->place == QUEUE_NEW)
			intake->is_locked = true;
		break;
	case -EBADMSG:
	case -EACCES:
	case -EPERM:
	case -ENXIO:
		set_aside(intake, entry, r);
		break;
	default:
		log_trouble("a message in the queue cannot be read", r);
		intake->is_troubled = true;
	}
}

/* The scan is over: when is the next one? */
static void
end_scan(struct intake *intake)
{
	int64_t now_ms = clock_mono_ms();

	scan_close(intake->scan);
	intake->scan = NULL;
	if (intake->is_again_due) {
		intake->next_scan_ms = now_ms;
	} else if (intake->is_locked) {
		intake->next_scan_ms = now_ms + intake->locked_wait_ms;
		intake->locked_wait_ms *= 2;
		if (intake->locked_wait_ms > LOCKED_WAIT_MAX_MS)
			intake->locked_wait_ms = LOCKED_WAIT_MAX_MS;
	} else if (intake->is_troubled) {
		intake->next_scan_ms = now_ms + TROUBLE_WAIT_MS;
	} else {
		/* Retries fall due with the minute. */
		intake->next_scan_ms = now_ms + 60000 - clock_real_ms() % 60000;
		intake->locked_wait_ms = LOCKED_WAIT_MIN_MS;
	}
}

static int
begin_scan(struct intake *intake)
{
	int r = intake->begin(intake->context);

	if (r < 0)
		return r;
	intake->is_locked = intake->is_troubled = intake->has_left_some =
	    intake->is_again_due = false;
	return scan_open(intake->means->spool, clock_real_ms(), &intake->scan);
}

int
intake_claim(struct intake *intake)
{
	struct queue_entry entry;
	int r;

	while (intake->has_room(intake->context)) {
		if (intake->scan == NULL) {
			if (clock_mono_ms() < intake->next_scan_ms)
				return 0;
			if ((r = begin_scan(intake)) < 0)
				return r;
		}
		r = scan_next(intake->scan, &entry);
		/* New mail comes first. */
		if (r > 0 && entry.place == QUEUE_RETRY &&
		    intake->is_paused(intake->context))
			r = 0;
		if (r <= 0) {
			end_scan(intake);
			return r;
		}
		take_entry(intake, &entry);
	}
	return 0;
}

void
intake_note_left(struct intake *intake)
{
	intake->has_left_some = true;
}

bool
intake_has_left_some(const struct intake *intake)
{
	return intake->has_left_some;
}

void
intake_look_again(struct intake *intake)
{
	if (intake->scan == NULL)
		intake->next_scan_ms = 0;
	else
		intake->is_again_due = true;
}

void
intake_wait(struct intake *intake, int64_t until_ms)
{
	intake->next_scan_ms = until_ms;
}

int64_t
intake_next_ms(const struct intake *intake)
{
	if (intake->scan != NULL || !intake->has_room(intake->context))
		return INT64_MAX;
	return intake->next_scan_ms;
}

bool
intake_is_done(const struct intake *intake)
{
	return intake->scan == NULL && !intake->is_locked &&
	    !intake->is_troubled && clock_mono_ms() < intake->next_scan_ms;
}
