/* SPDX-License-Identifier: ISC */

/*
 * refusal.c - turn clients away from a listener, and report how many.
 *
 * A report writes one event for each kind of refusal to the audit trail, so
 * that a burst of clients cannot fill it.
 */

#include "config.h"

#include <sys/socket.h>

#include <stdio.h>

#include "lib/audit.h"
#include "lib/stream.h"
#include "smtp-session/refusal.h"

struct kind {
	struct reply reply;
	const char *reason;
};

static const struct kind kinds[REFUSALS] = {
	[REFUSAL_TOTAL] = {
		.reply = { 421, "4.7.0", "too many sessions, try again later",
		    true },
		.reason = "SMTP_SESSIONS",
	},
	[REFUSAL_CLIENT] = {
		.reply = { 421, "4.7.0",
		    "too many sessions from this client, "
		    "try again later", true },
		.reason = "SMTP_SESSIONS_PER_CLIENT",
	},
	[REFUSAL_NO_PROCESS] = {
		.reply = { 421, "4.3.2",
		    "cannot start a session, try again later", true },
		.reason = "cannot create a process",
	},
};

void
refusal_send(int fd, const struct reply *reply)
{
	struct stream *stream;
	char rubbish[1024];

	if (stream_open(fd, fd, 0, &stream) < 0)
		return;
	if (reply_put(stream, reply) == 0)
		(void)stream_flush(stream);
	stream_free(stream);
	(void)shutdown(fd, SHUT_WR);
	(void)recv(fd, rubbish, sizeof(rubbish), MSG_DONTWAIT);
}

void
refusal_turn_away(struct refusals *refusals, enum refusal refusal, int fd,
    const struct peer *peer)
{
	refusal_send(fd, &kinds[refusal].reply);
	refusals->counts[refusal]++;
	refusals->last_peers[refusal] = *peer;
}

void
refusal_report(struct refusals *refusals)
{
	for (enum refusal i = 0; i < REFUSALS; i++) {
		char reason[128], reply[128];

		if (refusals->counts[i] == 0)
			continue;
		(void)snprintf(reason, sizeof(reason),
		    "%s; clients turned away: %u", kinds[i].reason,
		    refusals->counts[i]);
		reply_format(&kinds[i].reply, reply, sizeof(reply));
		audit_write(&(struct audit_record){
		    .event = AUDIT_SESSION_REFUSED,
		    .peer = refusals->last_peers[i].text,
		    .submitter = &refusals->last_peers[i].submitter,
		    .reply = reply,
		    .reason = reason,
		});
		refusals->counts[i] = 0;
	}
}
