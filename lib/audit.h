/* SPDX-License-Identifier: ISC */

#ifndef AUDIT_H
#define AUDIT_H

#include <stdbool.h>
#include <stdint.h>

/* What can happen. Each has a name, a priority and a fixed MESSAGE_ID, and its
 * text in units/smtpserver.catalog. */
enum audit_event {
	AUDIT_SESSION_OPENED, /* a client was greeted */
	AUDIT_SESSION_CLOSED, /* its session ended */
	AUDIT_PEER_REFUSED, /* a client that is not local */
	AUDIT_SESSION_REFUSED, /* clients got 421: too many sessions */
	AUDIT_SESSION_BROKEN, /* a session's process was killed */
	AUDIT_NEWLINES_NORMALIZED, /* a client sent a bare CR or LF */
	AUDIT_COMMAND_REFUSED, /* a command got 4yz or 5yz */
	AUDIT_TLS_STARTED, /* a client's STARTTLS succeeded */
	AUDIT_TLS_FAILED, /* a client's STARTTLS did not */
	AUDIT_MESSAGE_REFUSED, /* the message after DATA got 4yz or 5yz */
	AUDIT_RECIPIENT_ACCEPTED, /* a recipient of it, when debugging */
	AUDIT_MESSAGE_ACCEPTED, /* a message is in the spool and got 250 */
	AUDIT_DELIVERED, /* a remote host took a recipient's copy */
	AUDIT_DEFERRED, /* one attempt for a recipient failed */
	AUDIT_FAILED, /* a recipient failed for good */
	AUDIT_HOST_PASSED_OVER, /* a remote host was not used, and why */
	AUDIT_UNREACHED, /* none of a destination's hosts answers */
	AUDIT_REACHED_AGAIN, /* one of such a destination's hosts answers */
	AUDIT_AUTH_FAILED, /* to a relay: refused, or not possible */
	AUDIT_NO_NETWORK, /* nothing can be tried */
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
	const char *host; /* SMTP_HOST: the remote host, [address] behind */
	const char *policy; /* SMTP_POLICY: for TLS: dane, verify, ... */
	const char *tls; /* SMTP_TLS: protocol and cipher */
	const char *fingerprint; /* SMTP_FINGERPRINT: of a certificate */
	const char *requiretls; /* SMTP_REQUIRETLS: "yes": it was asked for */
	const char *is_signed; /* SMTP_SIGNED: "yes": it was sent so (DKIM) */
	const char *status; /* SMTP_STATUS: RFC 3463 code, such as 4.4.1 */
	const char *reply; /* SMTP_REPLY: the reply as it was on the wire */
	const char *reason; /* SMTP_REASON: what we have to say about it */
	const char *variable; /* SMTP_VARIABLE: the setting that is wrong */
	const char *next; /* SMTP_NEXT: when it will be tried again */
	const char *notice; /* SMTP_NOTICE: the id of a notice to the sender */
	int64_t recipients; /* SMTP_RECIPIENTS: how many */
	int64_t size_bytes; /* SMTP_SIZE: octets of the message */
	int64_t attempt; /* SMTP_ATTEMPT: the how manieth */
};

/*
 * Choose where events go: to the journal with their fields if stderr is
 * connected to it, as it is in a unit, else to stderr, a line each.
 *
 * program	a name that stays valid.
 * is_debug	write addresses, and events that are only of interest then.
 */
void audit_open(const char *program, bool is_debug);

/* Whether addresses may be logged in clear, as is_debug says. */
bool audit_shows_addresses(void);

/* The descriptor that the journal is written to, or -1: to be kept open. */
int audit_fd(void);

/* Write one event. Never fails: where nobody listens there is nothing to do.
 * Text of a peer's is encoded here, so that it cannot forge a line. */
void audit_write(const struct audit_record *record);

/*
 * Write AUDIT_TROUBLE with the reason "what: error".
 *
 * about	its other members, or NULL for none.
 * error	a negative errno.
 */
void audit_write_trouble(const struct audit_record *about, const char *what,
    int error);

/*
 * Write AUDIT_SETTING_INVALID, with the error as the entry's text.
 *
 * error	begins with the name of the variable.
 *
 * Returns whether the journal took it. Where it is not the journal that stderr
 * is connected to, nothing is written: err(3) has the words for people.
 */
bool audit_write_setting(const char *error);

/* Write an event for each missing part of a sandbox: what
 * sandbox_enter() returned. */
void audit_write_missing(unsigned pieces);

/* Write an event for each variable of the environment that begins with SMTP_
 * and that no program has. */
void audit_write_unknown_variables(void);

/* Its name as SMTP_EVENT has it, and its MESSAGE_ID as 32 hexadecimal digits:
 * for the test that compares them with the catalog. */
const char *audit_event_name(enum audit_event event);
const char *audit_event_id(enum audit_event event);

#endif
