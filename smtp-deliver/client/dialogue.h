/* SPDX-License-Identifier: ISC */

#ifndef DIALOGUE_H
#define DIALOGUE_H

#include <stdint.h>

#include "smtp-deliver/settings.h"
#include "lib/stream.h"
#include "smtp-deliver/client/reply.h"
#include "smtp-deliver/verdict.h"

/* What is said to a remote host, or waited for. */
enum step {
	STEP_GREETING,
	STEP_EHLO,
	STEP_HELO,
	STEP_STARTTLS,
	STEP_AUTH,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_CONTENT,
	STEP_RSET,
	STEP_QUIT,
};

/* A dialogue with a remote host over a stream of ours: commands go out, replies
 * come in, and become verdicts about that host. */
struct dialogue {
	const struct deliver_settings *settings;
	struct stream *stream;
	char host[VERDICT_HOST_SIZE]; /* with its address, for verdicts */
	char tls[VERDICT_TLS_SIZE];
	char policy[VERDICT_POLICY_SIZE];
	char fingerprint[TLS_FINGERPRINT_SIZE];
};

/* So many seconds, but no more than SMTP_REMOTE_TIMEOUT; and when that will be
 * over. */
int dialogue_bound(const struct dialogue *dialogue, int seconds);
int64_t dialogue_deadline(const struct dialogue *dialogue, int seconds);

/* Say who the verdict is about, and that the host has said nothing. */
void dialogue_begin_verdict(const struct dialogue *dialogue,
    struct verdict *ret_verdict);

/* A step that got no reply which can be used, for that negative errno. */
void dialogue_set_broken(const struct dialogue *dialogue, enum step step,
    int error, struct verdict *ret_verdict);

/* A host that has said more than it was asked for is out of step: what it says
 * would be taken for the reply to what comes next, which it has not seen.
 * Returns 0 or -EBADE. */
int dialogue_check_step(const struct dialogue *dialogue);

/*
 * Send a command; add one to those that go out together when a reply is waited
 * for (RFC 2920), of which the first was sent, and was checked; get the reply
 * to a step, within its time of RFC 5321 section 4.5.3.2; or send, and then
 * get.
 *
 * see_line	called with context for each line of the reply.
 * ret_verdict	what the reply means for what was asked, or what went wrong;
 *		unchanged after a command was sent.
 *
 * Return 0, or a negative errno if the connection is of no more use.
 */
int dialogue_send(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int dialogue_add(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int dialogue_get_reply(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict);
int dialogue_see_reply(const struct dialogue *dialogue, enum step step,
    reply_line *see_line, void *context, struct verdict *ret_verdict);
int dialogue_say(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
