/* SPDX-License-Identifier: ISC */

#ifndef AUDIT_H
#define AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/submitter.h"

/* The events. Each has a name, a priority, a fixed MESSAGE_ID, and an entry in
 * units/smtpserver.catalog. */
enum audit_event {
	AUDIT_SESSION_OPENED, /* a client was greeted */
	AUDIT_SESSION_CLOSED, /* its session ended */
	AUDIT_PEER_REFUSED, /* a client that is not local */
	AUDIT_SESSION_REFUSED, /* clients got 421: too many sessions */
	AUDIT_SESSION_BROKEN, /* a session's process was killed */
	AUDIT_NEWLINES_NORMALIZED, /* a client sent a bare CR or LF */
	AUDIT_COMMAND_REFUSED, /* a command got 4yz or 5yz */
	AUDIT_TLS_STARTED, /* a client's STARTTLS succeeded */
	AUDIT_TLS_FAILED, /* a client's STARTTLS failed */
	AUDIT_MESSAGE_REFUSED, /* the message after DATA got 4yz or 5yz */
	AUDIT_RECIPIENT_ACCEPTED, /* a message's recipient, if debugging */
	AUDIT_MESSAGE_ACCEPTED, /* a message is in the spool and got 250 */
	AUDIT_DELIVERED, /* a remote host took a recipient's copy */
	AUDIT_DEFERRED, /* one attempt for a recipient failed */
	AUDIT_FAILED, /* a recipient failed for good */
	AUDIT_HOST_PASSED_OVER, /* a remote host was not used, and why */
	AUDIT_UNREACHED, /* none of a destination's hosts answers */
	AUDIT_REACHED_AGAIN, /* one of such a destination's hosts answers */
	AUDIT_AUTH_FAILED, /* at a relay: refused, or impossible */
	AUDIT_NO_NETWORK, /* this host has no network */
	AUDIT_POLICY_MISSED, /* a domain's TLS policy could not be followed */
	AUDIT_MESSAGE_DONE, /* a message left the queue */
	AUDIT_NOTICE, /* a notice to a message's sender is in the spool */
	AUDIT_SET_ASIDE, /* a damaged queue file was moved out */
	AUDIT_REPAIRED, /* something in the spool was put right */
	AUDIT_WALL_INCOMPLETE, /* the kernel lacks part of a sandbox */
	AUDIT_TROUBLE, /* something on this host is wrong */
	AUDIT_SETTING_INVALID, /* a program cannot work with a setting */
	AUDIT_EVENTS,
};

/* One event. A member that is NULL or 0 is not written. */
struct audit_record {
	enum audit_event event;
	const char *message; /* SMTP_MESSAGE: the message's id */
	const char *session; /* SMTP_SESSION: the session's id */
	const char *recipient; /* SMTP_RECIPIENT: the recipient's token */
	const char *address; /* SMTP_ADDRESS: written only when debugging */
	const char *sender; /* SMTP_SENDER: likewise */
	const char *peer; /* SMTP_PEER: the client's address */
	const struct submitter *submitter; /* SMTP_UID, SMTP_UNIT */
	const char *host; /* SMTP_HOST: the remote host and its [address] */
	const char *policy; /* SMTP_POLICY: the TLS policy: dane, verify, ... */
	const char *tls; /* SMTP_TLS: protocol and cipher */
	const char *fingerprint; /* SMTP_FINGERPRINT: of a certificate */
	const char *requiretls; /* SMTP_REQUIRETLS: "yes": requested */
	const char *is_signed; /* SMTP_SIGNED: "yes": has our DKIM signature */
	const char *status; /* SMTP_STATUS: RFC 3463 code, such as 4.4.1 */
	const char *reply; /* SMTP_REPLY: the reply as it was on the wire */
	const char *reason; /* SMTP_REASON: our own description */
	const char *variable; /* SMTP_VARIABLE: the setting that is wrong */
	const char *next; /* SMTP_NEXT: the retry time */
	const char *notice; /* SMTP_NOTICE: the id of a notice to the sender */
	int64_t recipients; /* SMTP_RECIPIENTS: how many */
	int64_t size_bytes; /* SMTP_SIZE: octets of the message */
	int64_t attempt; /* SMTP_ATTEMPT: the number of the attempt */
};

/*
 * Choose the destination of events: the journal, with their fields, if stderr
 * is connected to it, as in a unit; otherwise stderr, one line per event.
 *
 * program	the program's name, which must stay valid.
 * is_debug	also write addresses, and events that are for debugging only.
 */
void audit_open(const char *program, bool is_debug);

/* Whether addresses may be logged in clear, as is_debug says. */
bool audit_shows_addresses(void);

/* Return the descriptor of the journal, which must be kept open, or -1. */
int audit_fd(void);

/* Write one event. Never fails: write errors are ignored. Text from peers is
 * encoded here, so that it cannot forge a line. */
void audit_write(const struct audit_record *record);

/*
 * Write AUDIT_TROUBLE with the reason "what: error".
 *
 * about	the other members of the record, or NULL.
 * error	a negative errno.
 */
void audit_write_trouble(const struct audit_record *about, const char *what,
    int error);

/*
 * Write AUDIT_SETTING_INVALID, with the error as the entry's text.
 *
 * error	begins with the name of the variable.
 *
 * Returns whether the journal took it. Where stderr is not the journal's,
 * nothing is written: err(3) reports the error to people.
 */
bool audit_write_setting(const char *error);

/* Write an event for each part of a sandbox that the kernel lacks. pieces is
 * the result of sandbox_enter(). */
void audit_write_missing(unsigned pieces);

/* Write an event for each environment variable that begins with SMTP_ and that
 * no program uses. */
void audit_write_unknown_variables(void);

/* Return the name of an event, as in SMTP_EVENT, and its MESSAGE_ID as 32
 * hexadecimal digits, for the test that compares them with the catalog. */
const char *audit_event_name(enum audit_event event);
const char *audit_event_id(enum audit_event event);

#endif
