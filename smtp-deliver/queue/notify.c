/* SPDX-License-Identifier: ISC */

/*
 * notify.c - send DSNs to the senders of messages.
 *
 * Reads what became of recipients from the record (claim.c), writes it into a
 * notice (notice.c), and puts that into the spool as any other message
 * (draft.c), from the null sender.
 */

#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "lib/fields.h"
#include "lib/spool/draft.h"
#include "lib/utf8.h"
#include "smtp-deliver/queue/backoff.h"
#include "smtp-deliver/queue/notify.h"

/* Octets of a message that a notice has: of its header, or of all of it. */
#define HEADER_MAX 65536
#define WHOLE_MAX 262144
#define NOTICE_MAX 16777216 /* octets of a notice that is made shorter */

static const char *const kind_reasons[] = {
	[NOTICE_FAILED] = "the message was not delivered to all recipients",
	[NOTICE_DELAYED] = "the message is delayed",
	[NOTICE_RELAYED] =
	    "the message was relayed to a host that does not confirm delivery",
};

static const unsigned kind_bits[] = {
	[NOTICE_FAILED] = DSN_FAILURE,
	[NOTICE_DELAYED] = DSN_DELAY,
	[NOTICE_RELAYED] = DSN_SUCCESS,
};

/* The recipients that a notice is about. */
static const struct recipient_state kind_states[] = {
	[NOTICE_FAILED] = { OUTCOME_FAILED, TOLD_NO },
	[NOTICE_DELAYED] = { OUTCOME_DEFERRED, TOLD_NO },
	[NOTICE_RELAYED] = { OUTCOME_DELIVERED, TOLD_OWED },
};

/* A message's recipients, and the last result of each. */
struct account {
	const struct claim *claim;
	struct attempt *attempts; /* one for each recipient */
	struct attempt_detail *details; /* for each of the notice's */
	struct notice_recipient *recipients;
	size_t recipient_count;
};

bool
notify_is_wanted(const struct claim *claim, size_t recipient,
    enum notice_kind kind)
{
	unsigned notify = claim->message.envelope.requests[recipient].notify;

	if (notify == 0)
		notify = DSN_FAILURE | DSN_DELAY;
	return *claim->message.envelope.sender != '\0' &&
	    (notify & kind_bits[kind]) != 0;
}

bool
notify_is_about(const struct claim *claim, size_t recipient,
    enum notice_kind kind)
{
	const struct recipient_state *state = &claim->states[recipient];

	return state->outcome == kind_states[kind].outcome &&
	    state->told == kind_states[kind].told &&
	    notify_is_wanted(claim, recipient, kind);
}

bool
notify_is_due(const struct claim *claim, enum notice_kind kind)
{
	for (size_t i = 0; i < claim->message.envelope.recipient_count; i++)
		if (notify_is_about(claim, i, kind))
			return true;
	return false;
}

static bool
is_expiry(const struct attempt *attempt)
{
	return attempt->state.outcome == OUTCOME_FAILED &&
	    strcmp(attempt->status, BACKOFF_EXPIRED_STATUS) == 0;
}

/* Keep the last line of each recipient. For one that expired, the reason of its
 * last deferral says more. */
static void
keep_last(struct account *account, const struct attempt *attempt)
{
	struct attempt *last = &account->attempts[attempt->recipient];

	if (attempt->state.told == TOLD_YES)
		return;
	if (is_expiry(attempt) && last->state.outcome == OUTCOME_DEFERRED) {
		last->state = attempt->state;
		(void)strlcpy(last->status, attempt->status,
		    sizeof(last->status));
	} else
		*last = *attempt;
}

static int
read_attempts(struct account *account)
{
	struct attempts_reader reader;
	struct attempt attempt;
	int r;

	if ((r = claim_read_attempts(account->claim, &reader)) < 0)
		return r;
	while (attempts_next(&reader, &attempt))
		keep_last(account, &attempt);
	attempts_free(&reader);
	return 0;
}

static void
add_recipient(struct account *account, size_t recipient)
{
	const struct attempt *attempt = &account->attempts[recipient];
	const struct envelope *envelope = &account->claim->message.envelope;
	struct attempt_detail *detail =
	    &account->details[account->recipient_count];

	attempt_get_detail(attempt, detail);
	account->recipients[account->recipient_count++] =
	    (struct notice_recipient){
		    .address = envelope->recipients[recipient],
		    .orcpt = envelope->requests[recipient].orcpt,
		    .status = attempt->status,
		    .host = detail->host,
		    .reply = detail->reply,
		    .reason = detail->reason,
		    .tried_real_ms = attempt->time_real_ms,
		    .is_expired = is_expiry(attempt),
	    };
}

static void
account_free(struct account *account)
{
	free(account->attempts);
	free(account->details);
	free(account->recipients);
}

/* Collect the recipients that a notice is about, and their last results. */
static int
account_make(struct account *account, const struct claim *claim,
    enum notice_kind kind)
{
	size_t total = claim->message.envelope.recipient_count;
	int r;

	*account = (struct account){
		.claim = claim,
		.attempts = calloc(total, sizeof(*account->attempts)),
		.details = calloc(total, sizeof(*account->details)),
		.recipients = calloc(total, sizeof(*account->recipients)),
	};
	if (account->attempts == NULL || account->details == NULL ||
	    account->recipients == NULL)
		r = -ENOMEM;
	else
		r = read_attempts(account);
	if (r < 0) {
		account_free(account);
		return r;
	}
	for (size_t i = 0; i < total; i++)
		if (notify_is_about(claim, i, kind))
			add_recipient(account, i);
	assert(account->recipient_count > 0);
	return 0;
}

/* Return the length of the header at the start of a message, in whole lines,
 * without the blank line after it. */
static size_t
header_length(const char *text, size_t length)
{
	const char *p = text, *end = text + length, *lf;
	enum fields_event event = FIELDS_MORE;
	struct fields fields;

	fields_start(&fields);
	while (p < end && event != FIELDS_BLANK && event != FIELDS_NOT_FIELD)
		event = fields_next(&fields, &p, end);
	if (fields_end(&fields) != FIELDS_CUT)
		return (size_t)fields.begin;
	lf = memrchr(text, '\n', length);
	return lf != NULL ? (size_t)(lf + 1 - text) : 0;
}

/* Whether a notice contains the whole message: the sender asked for it by
 * RET=FULL, without REQUIRETLS (RFC 8689 section 5), the message is not too
 * large and not internationalized (RFC 6532). */
static bool
is_whole_wanted(const struct claim *claim, enum notice_kind kind)
{
	return kind == NOTICE_FAILED &&
	    claim->message.envelope.dsn_return == DSN_RETURN_FULL &&
	    claim->message.content_size_bytes <= WHOLE_MAX &&
	    !claim->message.envelope.is_smtputf8 &&
	    !claim->message.envelope.is_requiretls;
}

/* Read the message, or its header; the caller frees it. */
static int
read_original(const struct claim *claim, struct notice *notice, char **ret_text)
{
	size_t size = notice->is_whole ? WHOLE_MAX : HEADER_MAX;
	char *text = malloc(size);
	ssize_t n;

	if (text == NULL)
		return -ENOMEM;
	if ((n = message_read_start(&claim->message, text, size)) < 0) {
		free(text);
		return (int)n;
	}
	notice->original = *ret_text = text;
	notice->original_length =
	    notice->is_whole ? (size_t)n : header_length(text, (size_t)n);
	return 0;
}

/* From the null sender to the message's sender, or another recipient, with the
 * same REQUIRETLS, and with NOTIFY=NEVER (RFC 3461 section 6.1). */
static int
address_notice(const struct claim *claim, const char *sender, bool is_whole,
    struct envelope *ret_envelope)
{
	int r;

	*ret_envelope = (struct envelope){
		.is_smtputf8 = has_high_octet(sender, strlen(sender)),
		.is_8bitmime = is_whole && claim->message.envelope.is_8bitmime,
		.is_requiretls = claim->message.envelope.is_requiretls,
	};
	if ((r = id_make(ret_envelope->id)) < 0 ||
	    (r = envelope_set_sender(ret_envelope, "")) < 0 ||
	    (r = envelope_add_request(ret_envelope, sender, DSN_NEVER, NULL)) <
		0)
		envelope_clear(ret_envelope);
	return r;
}

static int
store(const struct notifier *notifier, const struct envelope *envelope,
    const char *text, size_t length)
{
	struct draft *draft;
	int r;

	if ((r = spool_check_space(notifier->spool, length)) < 0 ||
	    (r = draft_begin(notifier->spool, envelope, &draft)) < 0)
		return r;
	if ((r = draft_write(draft, text, length)) == 0)
		r = draft_commit(draft);
	draft_free(draft);
	return r;
}

static int
render_and_store(const struct notifier *notifier, const struct account *account,
    struct notice *notice, const struct envelope *envelope)
{
	char *original = NULL, *text = NULL;
	size_t length;
	int r;

	if ((r = read_original(account->claim, notice, &original)) < 0)
		return r;
	if ((r = notice_render(notice, &text, &length)) == 0) {
		r = store(notifier, envelope, text, length);
		free(text);
	}
	free(original);
	return r;
}

/* A notice is in the queue.
 *
 * address	of who gets it.
 * count	of the recipients that it is about.
 */
static void
note_queued(const struct notifier *notifier, const struct claim *claim,
    const char *id, const char *address, size_t count, const char *reason)
{
	char token[TOKEN_SIZE];
	struct audit_record record = {
		.event = AUDIT_NOTICE,
		.message = claim->message.envelope.id,
		.submitter = &claim->message.envelope.submitter,
		.address = address,
		.notice = id,
		.recipients = (int64_t)count,
		.reason = reason,
	};

	counters_add(notifier->counters, COUNTER_MESSAGES_QUEUED, 1);
	if (spool_token(notifier->spool, address, token) == 0)
		record.recipient = token;
	audit_write(&record);
}

static int
send_notice(const struct notifier *notifier, const struct account *account,
    enum notice_kind kind)
{
	const struct claim *claim = account->claim;
	bool is_whole = is_whole_wanted(claim, kind);
	struct envelope envelope;
	struct notice notice;
	int r;

	if ((r = address_notice(claim, claim->message.envelope.sender, is_whole,
		 &envelope)) < 0)
		return r;
	notice = (struct notice){
		.kind = kind,
		.id = envelope.id,
		.hostname = notifier->settings->hostname,
		.sender = claim->message.envelope.sender,
		.envid = claim->message.envelope.envid,
		.is_whole = is_whole,
		.now_real_ms = clock_real_ms(),
		.arrival_real_ms = id_real_ms(claim->message.envelope.id),
		.until_real_ms = backoff_expiry_real_ms(
		    id_real_ms(claim->message.envelope.id),
		    notifier->settings->queue_lifetime_days),
		.recipients = account->recipients,
		.recipient_count = account->recipient_count,
	};
	r = render_and_store(notifier, account, &notice, &envelope);
	if (r == 0)
		note_queued(notifier, claim, notice.id, notice.sender,
		    notice.recipient_count, kind_reasons[kind]);
	envelope_clear(&envelope);
	return r;
}

int
notify_sender(const struct notifier *notifier, const struct claim *claim,
    enum notice_kind kind)
{
	struct account account;
	int r;

	if ((r = account_make(&account, claim, kind)) < 0)
		return r;
	r = send_notice(notifier, &account, kind);
	account_free(&account);
	return r;
}

/* ---- a notice that no host takes ----------------------------------------- */

/* Whether the message has failed because it is 8-bit or too large for all
 * hosts. */
static bool
is_too_much(const struct claim *claim)
{
	struct attempts_reader reader;
	struct attempt attempt;
	bool is_found = false;

	if (claim_read_attempts(claim, &reader) < 0)
		return false;
	while (attempts_next(&reader, &attempt))
		is_found = attempt.state.outcome == OUTCOME_FAILED &&
		    (strcmp(attempt.status, "5.6.3") == 0 ||
			strcmp(attempt.status, "5.3.4") == 0);
	attempts_free(&reader);
	return is_found;
}

bool
notify_can_shorten(const struct claim *claim)
{
	const struct envelope *envelope = &claim->message.envelope;

	return *envelope->sender == '\0' && envelope->recipient_count == 1 &&
	    claim->states[0].outcome == OUTCOME_FAILED &&
	    claim->states[0].told == TOLD_NO &&
	    claim->message.content_size_bytes <= NOTICE_MAX &&
	    is_too_much(claim);
}

/* Put the notice with the header of the original alone into the queue. */
static int
store_shortened(const struct notifier *notifier, const struct claim *claim,
    const char *notice, size_t length)
{
	const char *id = claim->message.envelope.id, *original;
	const char *address = claim->message.envelope.recipients[0];
	struct envelope envelope;
	size_t original_length;
	char *text;
	int r;

	if (!notice_find_whole(id, notice, length, &original, &original_length))
		return -ENOENT;
	if ((r = notice_shorten(id, notice, original,
		 header_length(original, original_length), &text, &length)) < 0)
		return r;
	if ((r = address_notice(claim, address, false, &envelope)) == 0) {
		r = store(notifier, &envelope, text, length);
		if (r == 0)
			note_queued(notifier, claim, envelope.id, address, 1,
			    "a notice with the whole message was refused for "
			    "its size or its 8-bit text: it goes with the "
			    "header only");
		envelope_clear(&envelope);
	}
	free(text);
	return r;
}

int
notify_shorten(const struct notifier *notifier, const struct claim *claim)
{
	size_t size = (size_t)claim->message.content_size_bytes;
	char *text = malloc(size + 1);
	ssize_t n;
	int r;

	if (text == NULL)
		return -ENOMEM;
	n = message_read_start(&claim->message, text, size);
	r = n < 0 ? (int)n : store_shortened(notifier, claim, text, (size_t)n);
	free(text);
	return r;
}
