/* SPDX-License-Identifier: ISC */

#ifndef DIALOGUE_H
#define DIALOGUE_H

#include <stdint.h>

#include "smtp-deliver/settings.h"
#include "lib/stream.h"
#include "smtp-deliver/client/reply.h"
#include "smtp-deliver/verdict.h"

/* A command to a remote host, or a reply to wait for. */
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

/* What became of a step, or of several. A verdict says why if the result is
 * not DIALOGUE_OK. */
enum dialogue_result {
	DIALOGUE_OK,
	DIALOGUE_REFUSED, /* the connection can be used for another step */
	DIALOGUE_LOST, /* the connection is unusable */
	DIALOGUE_UNVERIFIED, /* and so is the host: its certificate does not
			      * verify */
};

/* A dialogue with a remote host over a stream: commands go out, replies come in
 * and become verdicts that name the host. */
struct dialogue {
	const struct deliver_settings *settings;
	struct stream *stream;
	char host[VERDICT_HOST_SIZE]; /* with its address, for verdicts */
	char tls[VERDICT_TLS_SIZE];
	char policy[VERDICT_POLICY_SIZE];
	char fingerprint[TLS_FINGERPRINT_SIZE];
};

/* Limit a number of seconds to SMTP_REMOTE_TIMEOUT; return the result, or the
 * time of clock_mono_ms() at which it ends. */
int dialogue_bound(const struct dialogue *dialogue, int seconds);
int64_t dialogue_deadline(const struct dialogue *dialogue, int seconds);

/* Begin a verdict that names the host, without its reply. */
void dialogue_begin_verdict(const struct dialogue *dialogue,
    struct verdict *ret_verdict);

/* Set the verdict for a step without a usable reply; error is a negative
 * errno. Returns DIALOGUE_LOST. */
enum dialogue_result dialogue_set_broken(const struct dialogue *dialogue,
    enum step step, int error, struct verdict *ret_verdict);

/* Check, before a step, that the host has sent nothing beyond the replies to
 * earlier commands: it would be taken for the reply to a command that the host
 * has not seen. Returns DIALOGUE_OK or DIALOGUE_LOST. */
enum dialogue_result dialogue_check_step(const struct dialogue *dialogue,
    enum step step, struct verdict *ret_verdict);

/*
 * dialogue_send()	check the step, and send a command.
 * dialogue_add()	add a command to a group (RFC 2920), which goes out
 *			when a reply is waited for. dialogue_check_step() must
 *			come before the group.
 * dialogue_get_reply()	get the reply to a step, within the time that RFC 5321
 *			section 4.5.3.2 gives it.
 * dialogue_read_reply()	the same; on_line is called with context for
 *			each line of the reply.
 * dialogue_exchange()	send a command and get its reply.
 *
 * ret_verdict	what the reply means for the command, or what went wrong;
 *		unchanged if a command was only sent.
 *
 * Return DIALOGUE_OK, DIALOGUE_LOST, or DIALOGUE_REFUSED for a reply of a class
 * that does not accept the command.
 */
enum dialogue_result dialogue_send(const struct dialogue *dialogue,
    enum step step, struct verdict *ret_verdict, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
enum dialogue_result dialogue_add(const struct dialogue *dialogue,
    enum step step, struct verdict *ret_verdict, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
enum dialogue_result dialogue_get_reply(const struct dialogue *dialogue,
    enum step step, struct verdict *ret_verdict);
enum dialogue_result dialogue_read_reply(const struct dialogue *dialogue,
    enum step step, reply_line *on_line, void *context,
    struct verdict *ret_verdict);
enum dialogue_result dialogue_exchange(const struct dialogue *dialogue,
    enum step step, struct verdict *ret_verdict, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
