/* SPDX-License-Identifier: ISC */

/*
 * intake.c - scan the queue, and claim what is due.
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
intake_init(struct intake *intake, const struct task_means *means)
{
	*intake = (struct intake){
		.means = means,
		.locked_wait_ms = LOCKED_WAIT_MIN_MS,
	};
}

void
intake_close(struct intake *intake)
{
	scan_close(intake->scan);
}

/* Move an entry out of the queue that is no message, or is not readable for us,
 * so that not every run meets it again. */
static void
set_aside(struct intake *intake, const struct queue_entry *entry, int error)
{
	char reason[NAME_MAX + 64];
	int r = queue_set_aside(intake->means->queue, entry);

	if (r < 0 && r != -ENOENT) {
		audit_write_trouble(NULL,
		    "cannot set aside a damaged queue file", r);
		intake->is_troubled = true;
		return;
	}
	(void)snprintf(reason, sizeof(reason), "%s: %s", entry->name,
	    error == -EBADMSG ? "not a complete message of this spool"
			      : strerror(-error));
	audit_write(&(struct audit_record){
	    .event = AUDIT_SET_ASIDE,
	    .message = is_id(entry->name) ? entry->name : NULL,
	    .reason = reason,
	});
}

static bool
has_task(const struct task_list *tasks, const char *id)
{
	const struct task *task;

	TAILQ_FOREACH(task, tasks, entries)
		if (strcmp(task->claim->message.envelope.id, id) == 0)
			return true;
	return false;
}

/* Note why an entry was not claimed. */
static void
note_unclaimed(struct intake *intake, const struct queue_entry *entry,
    int error)
{
	switch (error) {
	case -ENOENT:
		break;
	case -EWOULDBLOCK:
		/* A locked retry belongs to another run; locked new mail may
		 * still be in acceptance, and is due in a moment. */
		if (entry->place == QUEUE_NEW)
			intake->is_locked = true;
		break;
	case -EBADMSG:
	case -EACCES:
	case -EPERM:
	case -ENXIO:
		set_aside(intake, entry, error);
		break;
	default:
		audit_write_trouble(NULL, "cannot read a message in the queue",
		    error);
		intake->is_troubled = true;
	}
}

/* End the scan, and decide when the next one begins. */
static void
end_scan(struct intake *intake)
{
	int64_t now_mono_ms = clock_mono_ms();

	scan_close(intake->scan);
	intake->scan = NULL;
	if (intake->is_again_due) {
		intake->next_scan_mono_ms = now_mono_ms;
	} else if (intake->is_locked) {
		intake->next_scan_mono_ms =
		    now_mono_ms + intake->locked_wait_ms;
		intake->locked_wait_ms *= 2;
		if (intake->locked_wait_ms > LOCKED_WAIT_MAX_MS)
			intake->locked_wait_ms = LOCKED_WAIT_MAX_MS;
	} else if (intake->is_troubled) {
		intake->next_scan_mono_ms = now_mono_ms + TROUBLE_WAIT_MS;
	} else {
		/* Retries fall due with the minute. */
		intake->next_scan_mono_ms =
		    now_mono_ms + 60000 - clock_real_ms() % 60000;
		intake->locked_wait_ms = LOCKED_WAIT_MIN_MS;
	}
}

bool
intake_is_due(const struct intake *intake)
{
	return intake->scan == NULL &&
	    clock_mono_ms() >= intake->next_scan_mono_ms;
}

int
intake_begin(struct intake *intake)
{
	intake->is_locked = intake->is_troubled = intake->is_overflowing =
	    intake->is_again_due = false;
	return scan_open(intake->means->spool, clock_real_ms(), &intake->scan);
}

/* Find the next entry. Returns 1, 0 at the end of the scan, or a negative
 * errno. */
static int
next_entry(struct intake *intake, bool is_new_only,
    struct queue_entry *ret_entry)
{
	int r = scan_next(intake->scan, ret_entry);

	/* New mail comes first. */
	if (r > 0 && is_new_only && ret_entry->place == QUEUE_RETRY)
		r = 0;
	if (r <= 0)
		end_scan(intake);
	return r;
}

int
intake_next(struct intake *intake, const struct task_list *tasks,
    bool is_new_only, struct task **ret_task)
{
	struct queue_entry entry;
	int r;

	if (intake->scan == NULL)
		return 0;
	while ((r = next_entry(intake, is_new_only, &entry)) > 0) {
		if (has_task(tasks, entry.name))
			continue;
		if ((r = task_open(intake->means, &entry, ret_task)) == 0)
			return 1;
		note_unclaimed(intake, &entry, r);
	}
	return r;
}

void
intake_note_overflow(struct intake *intake)
{
	intake->is_overflowing = true;
}

bool
intake_is_overflowing(const struct intake *intake)
{
	return intake->is_overflowing;
}

void
intake_look_again(struct intake *intake)
{
	if (intake->scan == NULL)
		intake->next_scan_mono_ms = 0;
	else
		intake->is_again_due = true;
}

void
intake_wait(struct intake *intake, int64_t until_mono_ms)
{
	intake->next_scan_mono_ms = until_mono_ms;
}

int64_t
intake_next_mono_ms(const struct intake *intake)
{
	return intake->scan == NULL ? intake->next_scan_mono_ms : INT64_MAX;
}

bool
intake_is_done(const struct intake *intake)
{
	return intake->scan == NULL && !intake->is_locked &&
	    !intake->is_troubled && clock_mono_ms() < intake->next_scan_mono_ms;
}
