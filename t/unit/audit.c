/* SPDX-License-Identifier: ISC */

/*
 * audit.c - an event is a line on stderr; text from peers cannot forge one, and
 * addresses are written only when debugging.
 */

#include "config.h"

#include "lib/audit.h"
#include "t/unit/folder.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define ID "019aad1f6b2e5d0c7f3a9be1"
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

/* clang-format off */

/* A reply of a peer, and its encoded form. */
static const struct { const char *reply, *shown; } replies[] = {
	{ "Ok", "reply=Ok" },
	{ "250 Ok", "reply=\"250 Ok\"" },
	{ "", "reply=\"\"" },
	{ "a=b", "reply=\"a=b\"" },
	{ "say \"x\"", "reply=\"say \\x22x\\x22\"" },
	{ "\"", "reply=\\x22" },
	{ "\" event=delivered", "reply=\"\\x22 event=delivered\"" },
	{ "a\\b", "reply=a\\x5cb" },
	{ "\\x22", "reply=\\x5cx22" },
	{ "a\r\nsmtp-deliver: event=delivered", "reply=\"a\\x0d\\x0asmtp-deliver: event=delivered\"" },
	{ "\n", "reply=\\x0a" },
	{ "a\tb", "reply=a\\x09b" },
	{ "\x1b[2J\x07", "reply=\\x1b[2J\\x07" },
	{ "\x7f", "reply=\\x7f" },
	{ "b\xc3\xbc", "reply=b\xc3\xbc" },
	/* C1 control characters, in UTF-8 and bare: a terminal obeys both. */
	{ "\xc2\x9b" "2J", "reply=\\xc2\\x9b2J" },
	{ "\xc2\x85", "reply=\\xc2\\x85" },
	{ "\x9b" "2J", "reply=\\x9b2J" },
	{ "\xff", "reply=\\xff" },
};

static const struct {
	struct audit_record record;
	const char *quiet, *debugging; /* NULL: no line */
} records[] = {
	{ { .event = AUDIT_DELIVERED },
	    "event=delivered", "event=delivered" },
	{ { .event = AUDIT_DELIVERED, .message = ID, .recipient = "00112233",
	    .address = "a@example.org", .sender = "b@example.org",
	    .host = "mx[192.0.2.1]", .status = "2.0.0", .reply = "250 Ok", .attempt = 2 },
	    "message=" ID " event=delivered recipient=00112233 host=mx[192.0.2.1]"
	    " status=2.0.0 reply=\"250 Ok\" attempt=2",
	    "message=" ID " event=delivered recipient=00112233 address=a@example.org"
	    " sender=b@example.org host=mx[192.0.2.1] status=2.0.0"
	    " reply=\"250 Ok\" attempt=2" },
	{ { .event = AUDIT_MESSAGE_ACCEPTED, .message = ID, .session = ID,
	    .sender = "", .recipients = 3, .size_bytes = 10485760 },
	    "message=" ID " event=message-accepted session=" ID " recipients=3 size=10485760",
	    "message=" ID " event=message-accepted session=" ID " sender=\"\""
	    " recipients=3 size=10485760" },
	{ { .event = AUDIT_DEFERRED, .message = ID, .reason = "timed out",
	    .next = "2026-11-22T18:31:00Z" },
	    "message=" ID " event=deferred reason=\"timed out\" next=2026-11-22T18:31:00Z",
	    "message=" ID " event=deferred reason=\"timed out\" next=2026-11-22T18:31:00Z" },
	{ { .event = AUDIT_SESSION_OPENED, .peer = "127.0.0.1" },
	    NULL, "event=session-opened peer=127.0.0.1" },
	{ { .event = AUDIT_SESSION_OPENED, .peer = "local",
	    .submitter = &(struct submitter){ .is_known = true } },
	    NULL, "event=session-opened peer=local uid=0" },
	{ { .event = AUDIT_DELIVERED, .message = ID, .recipient = "00112233",
	    .submitter = &(struct submitter){ .is_known = true,
	    .uid = 4294967294, .unit = "a\\x2db.service" } },
	    "message=" ID " event=delivered recipient=00112233 uid=4294967294 unit=a\\x5cx2db.service",
	    "message=" ID " event=delivered recipient=00112233 uid=4294967294 unit=a\\x5cx2db.service" },
	{ { .event = AUDIT_DELIVERED, .submitter = &(struct submitter){ .is_known = false } },
	    "event=delivered", "event=delivered" },
	{ { .event = AUDIT_SESSION_CLOSED }, NULL, "event=session-closed" },
	{ { .event = AUDIT_TLS_STARTED, .tls = "TLS1.3" }, NULL, "event=tls-started tls=TLS1.3" },
};
/* clang-format on */

/* Return what an event writes to stderr; the caller frees it. */
static char *
written(const struct audit_record *record, bool is_debug)
{
	int saved_fd, fd;
	char *text;
	size_t size;

	fd = open(folder_at("stderr"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);
	need(fd >= 0);
	need((saved_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0);
	need(dup2(fd, STDERR_FILENO) >= 0);
	audit_open("program", is_debug);
	audit_write(record);
	need(dup2(saved_fd, STDERR_FILENO) >= 0);
	close(saved_fd);
	close(fd);
	text = folder_read("stderr", &size);
	need(strlen(text) == size);
	return text;
}

static void
is_line(const struct audit_record *record, bool is_debug, const char *expected)
{
	char *line = written(record, is_debug), whole[4096] = "";

	if (expected != NULL)
		(void)snprintf(whole, sizeof(whole), "program: %s\n", expected);
	is_str(line, whole, "%s%s",
	    expected != NULL ? expected : audit_event_name(record->event),
	    is_debug               ? " (debugging)"
		: expected == NULL ? " is not written"
				   : "");
	free(line);
}

static void
replies_cannot_forge_a_line(void)
{
	for (size_t i = 0; i < COUNT(replies); i++) {
		struct audit_record record = { .event = AUDIT_DEFERRED,
			.reply = replies[i].reply };
		char line[256];

		(void)snprintf(line, sizeof(line), "event=deferred %s",
		    replies[i].shown);
		is_line(&record, false, line);
	}
}

/* Every text field, with a text that tries to forge a line. */
static void
no_field_can_forge_a_line(void)
{
	static const char evil[] = "x\" y\r\nprogram: event=delivered\x1b";
	struct audit_record record = { .event = AUDIT_DEFERRED,
		.message = evil,
		.session = evil,
		.recipient = evil,
		.address = evil,
		.sender = evil,
		.peer = evil,
		.host = evil,
		.tls = evil,
		.status = evil,
		.reply = evil,
		.reason = evil,
		.next = evil };
	char *line = written(&record, true);
	unsigned control = 0, quotes = 0;

	for (char *p = line; *p != '\0'; p++) {
		control += *p < ' ' && *p > 0;
		quotes += *p == '"';
	}
	is_int(control, 1, "the newline at the end is the only one");
	is_int(quotes, 2 * 12, "the only quotes are those around each value");
	free(line);
}

static void
long_values_are_cut(void)
{
	static const char text[] =
	    X100 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100 "end";
	struct audit_record record = { .event = AUDIT_DEFERRED, .reply = text };
	char *line = written(&record, false);

	ok(strlen(line) < 1100 && strstr(line, "...\n") != NULL,
	    "a long value is cut and ends in dots");
	free(line);

	record = (struct audit_record){ .event = AUDIT_DEFERRED,
		.message = text,
		.session = text,
		.recipient = text,
		.peer = text,
		.host = text,
		.tls = text,
		.reply = text };
	line = written(&record, false);
	is_int(line[strlen(line) - 1], '\n', "a long line ends in a newline");
	ok(strchr(line, '\n') == line + strlen(line) - 1, "and has no other");
	free(line);
}

/* An interface: the catalog and administrators' searches depend on it. */
static void
events_have_names_and_ids(void)
{
	unsigned wrong = 0, same = 0;

	for (int i = 0; i < AUDIT_EVENTS; i++) {
		const char *name = audit_event_name((enum audit_event)i);
		const char *id = audit_event_id((enum audit_event)i);

		wrong += strspn(name, "abcdefghijklmnopqrstuvwxyz-") !=
			strlen(name) ||
		    strspn(id, "0123456789abcdef") != 32 || strlen(id) != 32;
		for (int j = 0; j < i; j++)
			same += strcmp(id,
				    audit_event_id((enum audit_event)j)) == 0 ||
			    strcmp(name,
				audit_event_name((enum audit_event)j)) == 0;
	}
	is_int(wrong, 0, "every event has a name and an id of 32 digits");
	is_int(same, 0, "no two have the same name or id");
}

static void
stale_journal_stream_is_ignored(void)
{
	struct audit_record record = { .event = AUDIT_DELIVERED };

	need(setenv("JOURNAL_STREAM", "1:2", 1) == 0);
	is_line(&record, false, "event=delivered");
	need(unsetenv("JOURNAL_STREAM") == 0);
}

int
main(void)
{
	need(unsetenv("JOURNAL_STREAM") == 0);
	folder_make();
	for (size_t i = 0; i < COUNT(records); i++) {
		is_line(&records[i].record, false, records[i].quiet);
		is_line(&records[i].record, true, records[i].debugging);
	}
	replies_cannot_forge_a_line();
	no_field_can_forge_a_line();
	long_values_are_cut();
	events_have_names_and_ids();
	stale_journal_stream_is_ignored();
	folder_remove();
	return done_testing();
}
