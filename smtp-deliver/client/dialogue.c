/* SPDX-License-Identifier: ISC */

/*
 * dialogue.c - one command, one reply (RFC 5321 sections 4.1.1, 4.2).
 *
 * Each step waits for a reply, for as long as RFC 5321 section 4.5.3.2 says.
 */

#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "smtp-deliver/client/dialogue.h"

/* Room for a command with all its parameters. */
#define COMMAND_SIZE 2048

struct step_rule {
	const char *name; /* for texts such as "no reply to <name>" */
	int timeout_sec;
	int expected; /* class of an accepted reply */
};

static const struct step_rule rules[] = {
	[STEP_GREETING] = { "the connection", 300, 2 },
	[STEP_EHLO] = { "EHLO", 300, 2 },
	[STEP_HELO] = { "HELO", 300, 2 },
	[STEP_STARTTLS] = { "STARTTLS", 120, 2 },
	[STEP_AUTH] = { "AUTH", 180, 2 },
	[STEP_MAIL] = { "MAIL", 300, 2 },
	[STEP_RCPT] = { "RCPT", 300, 2 },
	[STEP_DATA] = { "DATA", 120, 3 },
	[STEP_CONTENT] = { "the message", 600, 2 },
	[STEP_RSET] = { "RSET", 300, 2 },
	[STEP_QUIT] = { "QUIT", 2, 2 },
};

int
dialogue_bound(const struct dialogue *dialogue, int seconds)
{
	return seconds < dialogue->settings->remote_timeout_sec
	    ? seconds
	    : dialogue->settings->remote_timeout_sec;
}

int64_t
dialogue_deadline(const struct dialogue *dialogue, int seconds)
{
	return clock_mono_ms() +
	    (int64_t)dialogue_bound(dialogue, seconds) * 1000;
}

void
dialogue_begin_verdict(const struct dialogue *dialogue,
    struct verdict *ret_verdict)
{
	*ret_verdict = (struct verdict){ .outcome = OUTCOME_DEFERRED };
	(void)strlcpy(ret_verdict->host, dialogue->host,
	    sizeof(ret_verdict->host));
	(void)strlcpy(ret_verdict->tls, dialogue->tls,
	    sizeof(ret_verdict->tls));
	(void)strlcpy(ret_verdict->policy, dialogue->policy,
	    sizeof(ret_verdict->policy));
	(void)strlcpy(ret_verdict->fingerprint, dialogue->fingerprint,
	    sizeof(ret_verdict->fingerprint));
}

enum dialogue_result
dialogue_set_broken(const struct dialogue *dialogue, enum step step, int error,
    struct verdict *ret_verdict)
{
	dialogue_begin_verdict(dialogue, ret_verdict);
	if (error == -EPROTO)
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.5.0",
		    "no SMTP reply to %s", rules[step].name);
	else if (error == -ETIMEDOUT)
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.2",
		    "no reply to %s in time", rules[step].name);
	else
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.2",
		    "connection lost at %s: %s", rules[step].name,
		    strerror(-error));
	return DIALOGUE_LOST;
}

static enum outcome
reply_outcome(const struct remote_reply *reply, enum step step)
{
	if (reply->code / 100 == rules[step].expected)
		return OUTCOME_DELIVERED;
	/* RFC 5321 section 4.5.3.1.10: 552 to RCPT means 452. */
	if (step == STEP_RCPT && reply->code == 552)
		return OUTCOME_DEFERRED;
	return reply->code / 100 == 5 ? OUTCOME_FAILED : OUTCOME_DEFERRED;
}

/* Set a verdict from the host's reply. */
static void
set_from_reply(const struct dialogue *dialogue, enum step step,
    const struct remote_reply *reply, struct verdict *ret_verdict)
{
	dialogue_begin_verdict(dialogue, ret_verdict);
	ret_verdict->outcome = reply_outcome(reply, step);
	(void)strlcpy(ret_verdict->status, reply->status,
	    sizeof(ret_verdict->status));
	/* The class follows the outcome, whatever the host's status is. */
	if (ret_verdict->outcome == OUTCOME_DEFERRED)
		ret_verdict->status[0] = '4';
	(void)strlcpy(ret_verdict->reply, reply->text,
	    sizeof(ret_verdict->reply));
	if (ret_verdict->outcome != OUTCOME_DELIVERED)
		(void)snprintf(ret_verdict->reason, sizeof(ret_verdict->reason),
		    "refused at %s", rules[step].name);
}

enum dialogue_result
dialogue_read_reply(const struct dialogue *dialogue, enum step step,
    reply_line *on_line, void *context, struct verdict *ret_verdict)
{
	struct remote_reply reply;
	int r = reply_read(dialogue->stream,
	    dialogue_deadline(dialogue, rules[step].timeout_sec), on_line,
	    context, &reply);

	if (r < 0)
		return dialogue_set_broken(dialogue, step, r, ret_verdict);
	set_from_reply(dialogue, step, &reply, ret_verdict);
	/* 421 to any command: the host is about to close. */
	if (reply.code == 421)
		return DIALOGUE_LOST;
	return verdict_is_good(ret_verdict) ? DIALOGUE_OK : DIALOGUE_REFUSED;
}

enum dialogue_result
dialogue_get_reply(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict)
{
	return dialogue_read_reply(dialogue, step, NULL, NULL, ret_verdict);
}

enum dialogue_result
dialogue_check_step(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict)
{
	if (!stream_has_input(dialogue->stream))
		return DIALOGUE_OK;
	dialogue_begin_verdict(dialogue, ret_verdict);
	verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.5.0",
	    "a reply that came before %s", rules[step].name);
	return DIALOGUE_LOST;
}

__attribute__((format(printf, 4, 0))) static enum dialogue_result
add_command(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict, const char *format, va_list args)
{
	char text[COMMAND_SIZE];
	int r;

	(void)vsnprintf(text, sizeof(text), format, args);
	r = stream_printf(dialogue->stream, "%s\r\n", text);
	if (r < 0)
		return dialogue_set_broken(dialogue, step, r, ret_verdict);
	return DIALOGUE_OK;
}

__attribute__((format(printf, 4, 0))) static enum dialogue_result
send_command(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict, const char *format, va_list args)
{
	enum dialogue_result result =
	    dialogue_check_step(dialogue, step, ret_verdict);

	if (result != DIALOGUE_OK)
		return result;
	return add_command(dialogue, step, ret_verdict, format, args);
}

enum dialogue_result
dialogue_add(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict, const char *format, ...)
{
	va_list args;
	enum dialogue_result result;

	va_start(args, format);
	result = add_command(dialogue, step, ret_verdict, format, args);
	va_end(args);
	return result;
}

enum dialogue_result
dialogue_send(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict, const char *format, ...)
{
	va_list args;
	enum dialogue_result result;

	va_start(args, format);
	result = send_command(dialogue, step, ret_verdict, format, args);
	va_end(args);
	return result;
}

enum dialogue_result
dialogue_exchange(const struct dialogue *dialogue, enum step step,
    struct verdict *ret_verdict, const char *format, ...)
{
	va_list args;
	enum dialogue_result result;

	va_start(args, format);
	result = send_command(dialogue, step, ret_verdict, format, args);
	va_end(args);
	if (result != DIALOGUE_OK)
		return result;
	return dialogue_get_reply(dialogue, step, ret_verdict);
}
