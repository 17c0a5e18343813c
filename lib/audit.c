/* SPDX-License-Identifier: ISC */

/*
 * audit.c - the audit trail: journal fields, or key=value lines on stderr.
 *
 * The only place that knows the journal, and the only one that encodes text
 * of peers before it is logged. Field names and MESSAGE_IDs are an interface:
 * administrators search for them, the catalog explains them.
 */

#include "config.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/sandbox.h"
#include "lib/settings.h"
#include "lib/text.h"

#define VALUE_SIZE 1024 /* a longer value is cut and ends in "..." */
#define LINE_SIZE 4096
#define SEND_TIMEOUT_SEC 3
#define FACILITY "2" /* LOG_MAIL, as SYSLOG_FACILITY has it */

/* The journal's native protocol: a datagram of "NAME=value" lines. */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct event {
	const char *name;
	const char *id;
	int priority;
	bool is_for_debugging;
};

/* Notices at least: the units leave out what is less (LogLevelMax=). */
/* clang-format off */
static const struct event events[AUDIT_EVENTS] = {
	[AUDIT_SESSION_OPENED] = { "session-opened",
	    "200236acef8a4c839857429c2abbcda8", LOG_NOTICE, true },
	[AUDIT_SESSION_CLOSED] = { "session-closed",
	    "32f81ba4df8a4214a5a33175b78c553c", LOG_NOTICE, true },
	[AUDIT_PEER_REFUSED] = { "peer-refused",
	    "191c200c97414343aa9d27c78908b271", LOG_WARNING, false },
	[AUDIT_SESSION_REFUSED] = { "session-refused",
	    "24d8926dbf82428e9ce28bfc851c2c05", LOG_WARNING, false },
	[AUDIT_SESSION_BROKEN] = { "session-broken",
	    "a2d5329309344b19abb126d1e7be7b49", LOG_ERR, false },
	[AUDIT_NEWLINES_NORMALIZED] = { "newlines-normalized",
	    "f670bee6d6454b349c5f04087d7f0234", LOG_NOTICE, false },
	[AUDIT_COMMAND_REFUSED] = { "command-refused",
	    "158e83a5df044008b5bea3a896f86b7e", LOG_NOTICE, false },
	[AUDIT_TLS_STARTED] = { "tls-started",
	    "f09e7c9df78042d1ac68f4287a752d7c", LOG_NOTICE, true },
	[AUDIT_TLS_FAILED] = { "tls-failed",
	    "16d9f0c2690243058cd88ee233d6118a", LOG_WARNING, false },
	[AUDIT_MESSAGE_REFUSED] = { "message-refused",
	    "0bd4b9133f7f4ee1a057fcb1cd4b0d57", LOG_NOTICE, false },
	[AUDIT_RECIPIENT_ACCEPTED] = { "recipient-accepted",
	    "f59f60f31bde44b387dd563e2f06f1f1", LOG_NOTICE, true },
	[AUDIT_MESSAGE_ACCEPTED] = { "message-accepted",
	    "11801d6d304a451c8a26bd054c05a470", LOG_NOTICE, false },
	[AUDIT_DELIVERED] = { "delivered",
	    "78385bb108374c529ce2f5edaec69944", LOG_NOTICE, false },
	[AUDIT_DEFERRED] = { "deferred",
	    "4a4df7c2f8cc4cbf830d8c77a410d100", LOG_NOTICE, false },
	[AUDIT_FAILED] = { "failed",
	    "b473196da5724db1b9ae3136fe043ae8", LOG_ERR, false },
	[AUDIT_HOST_PASSED_OVER] = { "host-passed-over",
	    "6c499a12416b4b2382fd44b417551846", LOG_NOTICE, false },
	[AUDIT_UNREACHED] = { "unreached",
	    "f429be83251a4a299de16a3279fa5514", LOG_WARNING, false },
	[AUDIT_REACHED_AGAIN] = { "reached-again",
	    "a6577267db5d4462a83d8453b78c216b", LOG_NOTICE, false },
	[AUDIT_AUTH_FAILED] = { "auth-failed",
	    "97bc1449588b42acb661756a14001f51", LOG_ERR, false },
	[AUDIT_NO_NETWORK] = { "no-network",
	    "0ba91cb7abc64eebb808977b64b691d1", LOG_NOTICE, false },
	[AUDIT_POLICY_MISSED] = { "policy-missed",
	    "2b5315dcdaff46babb13df27afbab2d5", LOG_NOTICE, false },
	[AUDIT_MESSAGE_DONE] = { "message-done",
	    "b5ae440432e34f49b46ee450939749d9", LOG_NOTICE, false },
	[AUDIT_NOTICE] = { "notice",
	    "9a6139fabee74d589b64ed3936360879", LOG_NOTICE, false },
	[AUDIT_SET_ASIDE] = { "set-aside",
	    "549820a7f0e840648b0de25d911ab440", LOG_ERR, false },
	[AUDIT_REPAIRED] = { "repaired",
	    "45fc9beb5f664ef8bf07e70f40a3ddc3", LOG_WARNING, false },
	[AUDIT_WALL_INCOMPLETE] = { "wall-incomplete",
	    "4f3f552db1e2495f814d9a2c93070d6e", LOG_NOTICE, false },
	[AUDIT_TROUBLE] = { "trouble",
	    "067cbca8cb9441f5a7d9b92368943969", LOG_ERR, false },
	[AUDIT_SETTING_INVALID] = { "setting-invalid",
	    "3f137572750f4593bc0d1455d18dc0ac", LOG_ERR, false },
};
/* clang-format on */

enum field_kind {
	FIELD_TEXT,
	FIELD_NUMBER,
	FIELD_ADDRESS, /* text that is written only when debugging */
	FIELD_UID, /* of a submitter that is known */
	FIELD_UNIT,
};

struct audit_field {
	const char *journal_name;
	const char *line_name;
	enum field_kind kind;
	size_t offset;
};

#define FIELD(journal_name, line_name, kind, member)      \
	{                                                 \
		journal_name, line_name, kind,            \
		    offsetof(struct audit_record, member) \
	}

/* In the order of a line; the event's name follows the message's id. */
static const struct audit_field fields[] = {
	FIELD("SMTP_MESSAGE", "message", FIELD_TEXT, message),
	FIELD("SMTP_SESSION", "session", FIELD_TEXT, session),
	FIELD("SMTP_PEER", "peer", FIELD_TEXT, peer),
	FIELD("SMTP_RECIPIENT", "recipient", FIELD_TEXT, recipient),
	FIELD("SMTP_ADDRESS", "address", FIELD_ADDRESS, address),
	FIELD("SMTP_SENDER", "sender", FIELD_ADDRESS, sender),
	FIELD("SMTP_HOST", "host", FIELD_TEXT, host),
	FIELD("SMTP_POLICY", "policy", FIELD_TEXT, policy),
	FIELD("SMTP_TLS", "tls", FIELD_TEXT, tls),
	FIELD("SMTP_FINGERPRINT", "fingerprint", FIELD_TEXT, fingerprint),
	FIELD("SMTP_REQUIRETLS", "requiretls", FIELD_TEXT, requiretls),
	FIELD("SMTP_SIGNED", "signed", FIELD_TEXT, is_signed),
	FIELD("SMTP_STATUS", "status", FIELD_TEXT, status),
	FIELD("SMTP_REPLY", "reply", FIELD_TEXT, reply),
	FIELD("SMTP_VARIABLE", "variable", FIELD_TEXT, variable),
	FIELD("SMTP_REASON", "reason", FIELD_TEXT, reason),
	FIELD("SMTP_NEXT", "next", FIELD_TEXT, next),
	FIELD("SMTP_NOTICE", "notice", FIELD_TEXT, notice),
	FIELD("SMTP_RECIPIENTS", "recipients", FIELD_NUMBER, recipients),
	FIELD("SMTP_SIZE", "size", FIELD_NUMBER, size_bytes),
	FIELD("SMTP_ATTEMPT", "attempt", FIELD_NUMBER, attempt),
	FIELD("SMTP_UID", "uid", FIELD_UID, submitter),
	FIELD("SMTP_UNIT", "unit", FIELD_UNIT, submitter),
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

/* An event's fields as "NAME=value" lines, the format of the journal. encode()
 * leaves no newline in a value. */
struct journal_entry {
	char text[(FIELD_COUNT + 6) * (VALUE_SIZE + 32) + LINE_SIZE];
	size_t used;
};

/* A line of key=value pairs; a longer one is cut. */
struct line {
	size_t start; /* of the first pair */
	size_t used;
	char text[LINE_SIZE];
};

static const char *program_name = "smtpserver";
static bool is_debugging;
static bool is_journal;
static int journal_fd = -1;

/* stderr is the journal's if JOURNAL_STREAM names it (systemd.exec(5)). */
static bool
is_stderr_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char expected[64];
	struct stat st;

	if (stream == NULL || fstat(STDERR_FILENO, &st) == -1)
		return false;
	(void)snprintf(expected, sizeof(expected), "%ju:%ju",
	    (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, expected) == 0;
}

/* Bound the time that mail waits for a journal that reads nothing. */
static void
bound_sends(int fd)
{
	static const struct timeval timeout = { .tv_sec = SEND_TIMEOUT_SEC };

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout,
	    sizeof(timeout));
}

/* Connect to the journal for good: a process that may not address sockets can
 * still write to a connected one. If no new socket can be made, keep the old
 * one. */
static void
connect_to_journal(void)
{
	static const struct sockaddr_un address = { .sun_family = AF_UNIX,
		.sun_path = JOURNAL_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) ==
	    -1) {
		close(fd);
		return;
	}
	bound_sends(fd);
	if (journal_fd >= 0)
		close(journal_fd);
	journal_fd = fd;
}

void
audit_open(const char *program, bool is_debug)
{
	program_name = program;
	is_debugging = is_debug;
	is_journal = is_stderr_journal();
	if (is_journal) {
		bound_sends(STDERR_FILENO);
		connect_to_journal();
	}
}

bool
audit_shows_addresses(void)
{
	return is_debugging;
}

int
audit_fd(void)
{
	return journal_fd;
}

/* The number of octets at p that can be logged unchanged, or 0: those of
 * printable characters, except quotes and backslashes, which could end a value
 * or imitate our escapes. */
static size_t
plain_length(const char *p)
{
	return *p == '"' || *p == '\\' ? 0 : text_printable_length(p);
}

/* Encode a value: octets that cannot be logged unchanged become \xNN. */
static void
encode(const char *value, char ret_text[VALUE_SIZE])
{
	size_t used = 0;

	for (const char *p = value; *p != '\0';) {
		size_t length = plain_length(p);

		if (used > VALUE_SIZE - 8) {
			memcpy(ret_text + used, "...", 3);
			used += 3;
			break;
		}
		if (length > 0) {
			memcpy(ret_text + used, p, length);
			used += length;
			p += length;
		} else
			used += (size_t)snprintf(ret_text + used, 5, "\\x%02x",
			    (unsigned char)*p++);
	}
	ret_text[used] = '\0';
}

static bool
get_submitter(const struct submitter *submitter, enum field_kind kind,
    char ret_text[VALUE_SIZE])
{
	if (submitter == NULL || !submitter->is_known)
		return false;
	if (kind == FIELD_UID)
		(void)snprintf(ret_text, VALUE_SIZE, "%u", submitter->uid);
	else
		encode(submitter->unit, ret_text);
	return *ret_text != '\0';
}

/* Return whether the record has a field, with its encoded value in ret_text. */
static bool
get_field(const struct audit_record *record, const struct audit_field *field,
    char ret_text[VALUE_SIZE])
{
	const char *at = (const char *)record + field->offset;
	const char *value;
	int64_t number;

	if (field->kind == FIELD_UID || field->kind == FIELD_UNIT)
		return get_submitter(record->submitter, field->kind, ret_text);
	if (field->kind == FIELD_NUMBER) {
		memcpy(&number, at, sizeof(number));
		if (number != 0)
			(void)snprintf(ret_text, VALUE_SIZE, "%" PRId64,
			    number);
		return number != 0;
	}
	memcpy(&value, at, sizeof(value));
	if (value == NULL || (field->kind == FIELD_ADDRESS && !is_debugging))
		return false;
	encode(value, ret_text);
	return true;
}

static void
append(struct line *line, const char *text)
{
	line->used +=
	    strlcpy(line->text + line->used, text, LINE_SIZE - line->used);
	if (line->used >= LINE_SIZE)
		line->used = LINE_SIZE - 1;
}

static void
append_field(struct line *line, const char *name, const char *value)
{
	const char *quote =
	    value[strcspn(value, " =")] != '\0' || *value == '\0' ? "\"" : "";

	append(line, line->used > line->start ? " " : "");
	append(line, name);
	append(line, "=");
	append(line, quote);
	append(line, value);
	append(line, quote);
}

static void
start_line(struct line *line, const char *first, const char *second)
{
	line->used = 0;
	append(line, first);
	append(line, second);
	line->start = line->used;
}

static void
append_fields(struct line *line, const struct audit_record *record)
{
	char value[VALUE_SIZE];

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (get_field(record, &fields[i], value))
			append_field(line, fields[i].line_name, value);
		if (i == 0)
			append_field(line, "event", events[record->event].name);
	}
}

static void
add(struct journal_entry *entry, const char *name, const char *value)
{
	size_t left = sizeof(entry->text) - entry->used;
	char *text = entry->text + entry->used;
	size_t length = strlcpy(text, name, left);

	text[length++] = '=';
	length += strlcpy(text + length, value, left - length);
	text[length++] = '\n';
	entry->used += length;
}

static bool
send_entry(const struct journal_entry *entry)
{
	ssize_t n;

	do
		n = send(journal_fd, entry->text, entry->used, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n != -1;
}

/* Return whether the journal took the entry. Its text is the line of the event,
 * unless there is another for people. */
static bool
send_to_journal(const struct audit_record *record, const char *text)
{
	const struct event *event = &events[record->event];
	char value[VALUE_SIZE], priority[2] = { (char)('0' + event->priority) };
	struct journal_entry entry;
	struct line line;

	entry.used = 0;
	add(&entry, "MESSAGE_ID", event->id);
	add(&entry, "PRIORITY", priority);
	add(&entry, "SYSLOG_FACILITY", FACILITY);
	add(&entry, "SYSLOG_IDENTIFIER", program_name);
	add(&entry, "SMTP_EVENT", event->name);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (get_field(record, &fields[i], value))
			add(&entry, fields[i].journal_name, value);
	start_line(&line, "", "");
	append_fields(&line, record);
	line.text[line.used] = '\0';
	add(&entry, "MESSAGE", text != NULL ? text : line.text);
	if (send_entry(&entry))
		return true;
	if (errno != ECONNREFUSED && errno != ENOTCONN && errno != EBADF)
		return false;
	/* The journal may have been restarted. */
	connect_to_journal();
	return send_entry(&entry);
}

/* One write(2): other processes may write to the same file. The journal, if it
 * is what reads stderr, takes the priority from the line (sd-daemon(3)). */
static void
write_to_stderr(const struct audit_record *record)
{
	struct line line;
	char level[] = "<0>";

	level[1] = (char)('0' + events[record->event].priority);
	start_line(&line, is_journal ? level : "", program_name);
	append(&line, ": ");
	line.start = line.used;
	append_fields(&line, record);
	line.text[line.used++] = '\n';
	(void)!write(STDERR_FILENO, line.text, line.used);
}

void
audit_write(const struct audit_record *record)
{
	if (events[record->event].is_for_debugging && !is_debugging)
		return;
	/* If the journal cannot be reached, stderr still leads to it. */
	if (!is_journal || !send_to_journal(record, NULL))
		write_to_stderr(record);
}

void
audit_write_trouble(const struct audit_record *about, const char *what,
    int error)
{
	struct audit_record record = { .event = AUDIT_TROUBLE };
	char reason[VALUE_SIZE];

	if (about != NULL)
		record = *about;
	(void)snprintf(reason, sizeof(reason), "%s: %s", what,
	    strerror(-error));
	record.event = AUDIT_TROUBLE;
	record.reason = reason;
	audit_write(&record);
}

bool
audit_write_setting(const char *error)
{
	char variable[SETTINGS_NAME_SIZE], text[VALUE_SIZE];

	settings_get_variable(error, variable);
	(void)strlcpy(text, error, sizeof(text));
	text_make_printable(text);
	return is_journal &&
	    send_to_journal(
		&(struct audit_record){ .event = AUDIT_SETTING_INVALID,
		    .variable = variable,
		    .reason = error },
		text);
}

void
audit_write_missing(unsigned pieces)
{
	for (enum sandbox_piece i = 0; i < SANDBOX_PIECES; i++)
		if ((pieces & (1U << i)) != 0)
			audit_write(&(struct audit_record){
			    .event = AUDIT_WALL_INCOMPLETE,
			    .reason = sandbox_piece_name(i),
			});
}

void
audit_write_unknown_variables(void)
{
	char text[SETTINGS_ERROR_SIZE], variable[SETTINGS_NAME_SIZE];
	size_t position = 0;

	while (settings_next_unknown(&position, text)) {
		settings_get_variable(text, variable);
		audit_write(&(struct audit_record){ .event = AUDIT_TROUBLE,
		    .variable = variable,
		    .reason = text });
	}
}

const char *
audit_event_name(enum audit_event event)
{
	return events[event].name;
}

const char *
audit_event_id(enum audit_event event)
{
	return events[event].id;
}
