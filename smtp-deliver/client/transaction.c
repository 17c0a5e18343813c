/* SPDX-License-Identifier: ISC */

/*
 * transaction.c - send one message to a remote host (RFC 5321 sections 3.3,
 * 4.1.1, 4.5.2; RFC 1870, 2920, 6152, 6531, 8689).
 *
 *	ready -> MAIL -> RCPT ... -> DATA -> CONTENT -> ready
 *
 * Where the host offers PIPELINING, commands up to DATA go out in groups: a
 * group is sent, then its replies are read, one for each command in turn.
 */

#include "config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/utf8.h"
#include "smtp-deliver/client/transaction.h"

#define READ_SIZE 65536

/* A group of this many octets is sent. A host always accepts that much once all
 * earlier replies have been read, so neither side waits for the other with full
 * buffers (RFC 2920 section 3.1). */
#define GROUP_OCTETS 4096

/* What became of the replies to a group. */
enum replies_end {
	REPLIES_READ,
	REPLIES_LOST, /* the connection is unusable */
	REPLIES_OUT_OF_STEP, /* a reply does not belong to its command */
};

/* A transaction in progress. Its commands are numbered: MAIL is 0, then a RCPT
 * for each recipient, then DATA. */
struct transaction {
	struct client *client;
	const struct transaction_message *message;
	struct verdict *verdicts; /* of the recipients */
	size_t sent; /* commands */
	size_t answered; /* replies */
	size_t accepted; /* recipients */
	enum transaction_refusal refusal;
	bool is_data_due; /* 354 came in reply to DATA */
};

/* Octets of what is sent, without stuffed dots (RFC 1870 section 3). */
static uint64_t
size_sent(const struct transaction_message *message)
{
	return strlen(message->fields) + content_size_bytes(message->content);
}

static bool
has_utf8_address(const struct transaction_message *message)
{
	const struct envelope *envelope = message->envelope;

	if (has_high_octet(message->sender, strlen(message->sender)))
		return true;
	for (size_t i = 0; i < message->recipient_count; i++) {
		const char *address =
		    envelope->recipients[message->recipients[i]];

		if (has_high_octet(address, strlen(address)))
			return true;
	}
	return false;
}

/* Whether the message can only go to a host with SMTPUTF8. Clients may request
 * it for others, too; UTF-8 without a request is sent as it is. */
static bool
needs_smtputf8(const struct transaction_message *message)
{
	return message->envelope->is_smtputf8 &&
	    (message->octets.in_header || has_utf8_address(message));
}

/* Whether the message was announced to have octets outside ASCII, and has. */
static bool
needs_8bitmime(const struct transaction_message *message)
{
	const struct envelope *envelope = message->envelope;

	return (envelope->is_8bitmime || envelope->is_smtputf8) &&
	    (message->octets.in_header || message->octets.in_body);
}

static void
set_all(const struct verdict *verdict,
    const struct transaction_message *message, struct verdict *ret_verdicts)
{
	for (size_t i = 0; i < message->recipient_count; i++) {
		ret_verdicts[i] = *verdict;
		ret_verdicts[i].is_common = true;
	}
}

bool
transaction_can_take(const struct client *client,
    const struct transaction_message *message, struct verdict *ret_verdict)
{
	dialogue_begin_verdict(&client->dialogue, ret_verdict);
	if (client->offers.size_max > 0 &&
	    size_sent(message) > client->offers.size_max)
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.3.4",
		    "the host accepts at most %ju octets",
		    (uintmax_t)client->offers.size_max);
	else if (needs_smtputf8(message) && !client->offers.has_smtputf8)
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.6.7",
		    "the host does not offer SMTPUTF8");
	else if (needs_8bitmime(message) && !client->offers.has_8bitmime)
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.6.3",
		    "the host does not offer 8BITMIME");
	else
		return true;
	return false;
}

/* ---- commands and replies ---- */

static size_t
data_number(const struct transaction *transaction)
{
	return transaction->message->recipient_count + 1;
}

static enum step
step_of(const struct transaction *transaction, size_t number)
{
	if (number == 0)
		return STEP_MAIL;
	return number < data_number(transaction) ? STEP_RCPT : STEP_DATA;
}

static bool
says_requiretls(const struct transaction *transaction)
{
	const struct client *client = transaction->client;

	return transaction->message->envelope->is_requiretls &&
	    client_is_verified(client) && client->offers.has_requiretls;
}

static enum dialogue_result
add_mail(const struct transaction *transaction, struct verdict *ret_verdict)
{
	const struct client *client = transaction->client;
	const struct envelope *envelope = transaction->message->envelope;
	bool has_return =
	    client->offers.has_dsn && envelope->dsn_return != DSN_RETURN_UNSAID;
	bool has_envid = client->offers.has_dsn && envelope->envid != NULL;
	char size[32] = "", sender[ADDRESS_SIZE];

	if (client->offers.has_size)
		(void)snprintf(size, sizeof(size), " SIZE=%ju",
		    (uintmax_t)size_sent(transaction->message));
	return dialogue_add(&client->dialogue, STEP_MAIL, ret_verdict,
	    "MAIL FROM:<%s>%s%s%s%s%s%s%s%s",
	    address_quote(transaction->message->sender, sender), size,
	    (envelope->is_8bitmime || needs_8bitmime(transaction->message)) &&
		    client->offers.has_8bitmime
		? " BODY=8BITMIME"
		: "",
	    needs_smtputf8(transaction->message) && client->offers.has_smtputf8
		? " SMTPUTF8"
		: "",
	    says_requiretls(transaction) ? " REQUIRETLS" : "",
	    has_return ? " RET=" : "",
	    has_return ? dsn_return_name(envelope->dsn_return) : "",
	    has_envid ? " ENVID=" : "", has_envid ? envelope->envid : "");
}

/* An ORCPT in UTF-8 needs SMTPUTF8 with MAIL. */
static bool
can_pass_on(const struct transaction *transaction, const char *orcpt)
{
	const struct client_offers *offers = &transaction->client->offers;

	return offers->has_dsn && orcpt != NULL &&
	    ((offers->has_smtputf8 && needs_smtputf8(transaction->message)) ||
		!has_high_octet(orcpt, strlen(orcpt)));
}

static size_t
orcpt_length(const struct dsn_request *request)
{
	return request->orcpt != NULL ? strlen(request->orcpt) : 0;
}

static enum dialogue_result
add_rcpt(const struct transaction *transaction, const char *recipient,
    const struct dsn_request *request, struct verdict *ret_verdict)
{
	const struct client *client = transaction->client;
	bool has_notify = client->offers.has_dsn && request->notify != 0;
	bool has_orcpt = can_pass_on(transaction, request->orcpt);
	char notify[DSN_NOTIFY_SIZE], path[ADDRESS_SIZE];

	return dialogue_add(&client->dialogue, STEP_RCPT, ret_verdict,
	    "RCPT TO:<%s>%s%s%s%s", address_quote(recipient, path),
	    has_notify ? " NOTIFY=" : "",
	    has_notify ? dsn_format_notify(request->notify, notify) : "",
	    has_orcpt ? " ORCPT=" : "", has_orcpt ? request->orcpt : "");
}

static size_t
recipient_of(const struct transaction *transaction, size_t number)
{
	return transaction->message->recipients[number - 1];
}

/* Add the next command to its group. */
static enum dialogue_result
add_next(struct transaction *transaction, struct verdict *ret_verdict,
    size_t *octets)
{
	const struct dialogue *dialogue = &transaction->client->dialogue;
	const struct envelope *envelope = transaction->message->envelope;
	size_t number = transaction->sent++, recipient;

	switch (step_of(transaction, number)) {
	case STEP_MAIL:
		*octets +=
		    strlen(transaction->message->sender) + 64 + DSN_ENVID_MAX;
		return add_mail(transaction, ret_verdict);
	case STEP_RCPT:
		recipient = recipient_of(transaction, number);
		*octets += strlen(envelope->recipients[recipient]) + 64 +
		    orcpt_length(&envelope->requests[recipient]);
		return add_rcpt(transaction, envelope->recipients[recipient],
		    &envelope->requests[recipient], ret_verdict);
	default:
		return dialogue_add(dialogue, STEP_DATA, ret_verdict, "DATA");
	}
}

/* Replace the verdicts of the recipients accepted so far. */
static void
set_accepted(const struct transaction *transaction,
    const struct verdict *verdict)
{
	for (size_t i = 0; i < transaction->message->recipient_count; i++)
		if (verdict_is_good(&transaction->verdicts[i])) {
			transaction->verdicts[i] = *verdict;
			transaction->verdicts[i].is_common = true;
		}
}

/* The connection is unusable: the verdict applies to recipients without a reply
 * and to accepted ones. Refused recipients stay refused. */
static void
set_lost(const struct transaction *transaction, const struct verdict *verdict)
{
	set_accepted(transaction, verdict);
	for (size_t number = transaction->answered;
	     number < data_number(transaction); number++)
		if (number > 0)
			transaction->verdicts[number - 1] = *verdict;
}

/* Act on the reply to a command. */
static void
judge(struct transaction *transaction, size_t number,
    const struct verdict *verdict)
{
	bool is_good = verdict_is_good(verdict);

	if (transaction->refusal == REFUSAL_MAIL)
		return;
	switch (step_of(transaction, number)) {
	case STEP_MAIL:
		if (is_good)
			break;
		set_all(verdict, transaction->message, transaction->verdicts);
		transaction->refusal = REFUSAL_MAIL;
		break;
	case STEP_RCPT:
		transaction->verdicts[number - 1] = *verdict;
		transaction->accepted += is_good;
		break;
	default:
		if (is_good)
			break;
		set_accepted(transaction, verdict);
		if (transaction->accepted > 0)
			transaction->refusal = REFUSAL_DATA;
	}
}

/* Send one command, or as many as may go out together. */
static enum dialogue_result
send_group(struct transaction *transaction)
{
	const struct client *client = transaction->client;
	enum step step = step_of(transaction, transaction->sent);
	struct verdict verdict;
	size_t octets = 0;
	enum dialogue_result result =
	    dialogue_check_step(&client->dialogue, step, &verdict);

	while (result == DIALOGUE_OK &&
	    transaction->sent <= data_number(transaction)) {
		result = add_next(transaction, &verdict, &octets);
		if (!client->offers.has_pipelining || octets >= GROUP_OCTETS)
			break;
	}
	if (result != DIALOGUE_OK)
		set_lost(transaction, &verdict);
	return result;
}

/* Whether a reply neither accepts nor refuses its command: it belongs to
 * another one. */
static bool
is_out_of_step(const struct verdict *verdict)
{
	return !verdict_is_good(verdict) && *verdict->reply != '\0' &&
	    *verdict->reply < '4';
}

static enum replies_end
read_reply(struct transaction *transaction)
{
	size_t number = transaction->answered;
	enum step step = step_of(transaction, number);
	struct verdict verdict;

	if (dialogue_get_reply(&transaction->client->dialogue, step,
		&verdict) == DIALOGUE_LOST) {
		if (transaction->refusal != REFUSAL_MAIL)
			set_lost(transaction, &verdict);
		if (step == STEP_MAIL && *verdict.reply != '\0')
			transaction->refusal = REFUSAL_MAIL;
		return REPLIES_LOST;
	}
	if (is_out_of_step(&verdict))
		return REPLIES_OUT_OF_STEP;
	transaction->answered++;
	judge(transaction, number, &verdict);
	if (step == STEP_DATA)
		transaction->is_data_due = verdict_is_good(&verdict);
	return REPLIES_READ;
}

/* The host has sent an extra reply. It is an error unless it is a 421. */
static enum replies_end
read_extra_reply(struct transaction *transaction)
{
	struct verdict verdict;

	if (dialogue_get_reply(&transaction->client->dialogue, STEP_CONTENT,
		&verdict) != DIALOGUE_LOST ||
	    *verdict.reply == '\0')
		return REPLIES_OUT_OF_STEP;
	set_accepted(transaction, &verdict);
	return REPLIES_LOST;
}

/* It is unknown which reply of the group belongs to which command: ignore them
 * all. */
static void
ignore_group(struct transaction *transaction, size_t first)
{
	struct verdict verdict;

	dialogue_begin_verdict(&transaction->client->dialogue, &verdict);
	verdict_set(&verdict, OUTCOME_DEFERRED, "4.5.0",
	    "the host's replies do not match the commands");
	transaction->answered = first;
	set_lost(transaction, &verdict);
}

static enum replies_end
read_group(struct transaction *transaction)
{
	size_t first = transaction->answered;
	enum replies_end end = REPLIES_READ;

	while (end == REPLIES_READ && transaction->answered < transaction->sent)
		end = read_reply(transaction);
	/* After a single command the next one is not sent: see send_group(). */
	if (end == REPLIES_READ && transaction->sent - first > 1 &&
	    stream_has_input(transaction->client->dialogue.stream))
		end = read_extra_reply(transaction);
	if (end == REPLIES_OUT_OF_STEP)
		ignore_group(transaction, first);
	return end;
}

/* Whether there is another command to send. */
static bool
has_more_commands(const struct transaction *transaction)
{
	size_t sent = transaction->sent, last = data_number(transaction);

	if (transaction->refusal == REFUSAL_MAIL || sent > last)
		return false;
	return sent < last || transaction->accepted > 0;
}

/* ---- the message ---- */

/* Send octets of the message with a dot before each line that begins with one
 * (RFC 5321 section 4.5.2). */
static int
send_stuffed(struct stream *stream, const char *text, size_t length,
    bool *is_at_line)
{
	int r = 0;

	while (r == 0 && length > 0) {
		const char *lf = memchr(text, '\n', length);
		size_t n = lf != NULL ? (size_t)(lf + 1 - text) : length;

		if (*is_at_line && *text == '.')
			r = stream_put(stream, ".", 1);
		if (r == 0)
			r = stream_put(stream, text, n);
		*is_at_line = lf != NULL;
		text += n;
		length -= n;
	}
	return r;
}

static int
put_content(const struct client *client,
    const struct transaction_message *message)
{
	uint64_t size = content_size_bytes(message->content), done = 0;
	char buffer[READ_SIZE];
	bool is_at_line = true;
	int r;

	r = stream_put(client->dialogue.stream, message->fields,
	    strlen(message->fields));
	if (r < 0)
		return r;
	while (done < size) {
		ssize_t n = content_read(message->content, done, buffer,
		    sizeof(buffer));

		/* An incomplete message must not get a dot: hang up. */
		if (n <= 0)
			return n == 0 ? -EIO : (int)n;
		r = send_stuffed(client->dialogue.stream, buffer, (size_t)n,
		    &is_at_line);
		if (r < 0)
			return r;
		done += (uint64_t)n;
	}
	return 0;
}

/* The message could not be sent to its end. A host that has hung up may have
 * said why: its refusal counts, but no other reply. */
static enum dialogue_result
end_unsent(const struct client *client, int error, struct verdict *ret_verdict)
{
	const struct dialogue *dialogue = &client->dialogue;

	ret_verdict->reply[0] = '\0';
	if (!stream_can_send(dialogue->stream))
		(void)dialogue_get_reply(dialogue, STEP_CONTENT, ret_verdict);
	if (*ret_verdict->reply < '4')
		(void)dialogue_set_broken(dialogue, STEP_CONTENT, error,
		    ret_verdict);
	return DIALOGUE_LOST;
}

/* Send the message, without the dot at its end. */
static enum dialogue_result
send_content(const struct client *client,
    const struct transaction_message *message, struct verdict *ret_verdict)
{
	enum dialogue_result result =
	    dialogue_check_step(&client->dialogue, STEP_CONTENT, ret_verdict);
	int r;

	if (result == DIALOGUE_OK && (r = put_content(client, message)) < 0)
		return end_unsent(client, r, ret_verdict);
	return result;
}

/* Return the session to the state before MAIL. */
static enum transaction_end
reset(struct client *client)
{
	struct verdict verdict;

	if (dialogue_exchange(&client->dialogue, STEP_RSET, &verdict, "RSET") !=
	    DIALOGUE_OK)
		return TRANSACTION_LOST;
	return TRANSACTION_READY;
}

/* Send the dot and take the reply. */
static enum dialogue_result
end_content(const struct client *client, struct verdict *ret_verdict)
{
	struct stream *stream = client->dialogue.stream;
	enum dialogue_result result;
	int r = stream_put(stream, ".\r\n", 3);

	if (r < 0 || (r = stream_flush(stream)) < 0)
		return end_unsent(client, r, ret_verdict);
	result =
	    dialogue_get_reply(&client->dialogue, STEP_CONTENT, ret_verdict);
	if (!is_out_of_step(ret_verdict))
		return result;
	/* Neither accepted nor refused: the host may have the message. */
	return dialogue_set_broken(&client->dialogue, STEP_CONTENT, -EPROTO,
	    ret_verdict);
}

/* The host expects a message although it has accepted no recipient (RFC 2920
 * section 3.1). */
static enum transaction_end
send_nothing(const struct client *client)
{
	struct verdict verdict;

	return end_content(client, &verdict) == DIALOGUE_LOST
	    ? TRANSACTION_LOST
	    : TRANSACTION_READY;
}

/* Send the message and the dot. */
static enum transaction_end
send_message(struct transaction *transaction)
{
	struct client *client = transaction->client;
	struct verdict verdict;
	enum dialogue_result result;

	transaction->refusal = REFUSAL_CONTENT;
	if (send_content(client, transaction->message, &verdict) !=
	    DIALOGUE_OK) {
		set_accepted(transaction, &verdict);
		return TRANSACTION_LOST;
	}
	result = end_content(client, &verdict);
	verdict.is_told_on = client->offers.has_dsn;
	verdict.is_requiretls = says_requiretls(transaction);
	if (verdict_is_good(&verdict))
		transaction->refusal = REFUSAL_NONE;
	verdict.is_signed = *transaction->message->fields != '\0';
	set_accepted(transaction, &verdict);
	if (result != DIALOGUE_LOST)
		return TRANSACTION_READY;
	return verdict.reply[0] == '\0' ? TRANSACTION_UNSURE : TRANSACTION_LOST;
}

static enum transaction_end
hold(struct transaction *transaction)
{
	while (has_more_commands(transaction))
		if (send_group(transaction) != DIALOGUE_OK ||
		    read_group(transaction) != REPLIES_READ)
			return TRANSACTION_LOST;
	if (!transaction->is_data_due)
		return reset(transaction->client);
	if (transaction->accepted == 0)
		return send_nothing(transaction->client);
	return send_message(transaction);
}

enum transaction_end
transaction_run(struct client *client,
    const struct transaction_message *message, struct verdict *ret_verdicts,
    enum transaction_refusal *ret_refusal)
{
	struct transaction transaction = {
		.client = client,
		.message = message,
		.verdicts = ret_verdicts,
	};
	struct verdict verdict;
	enum transaction_end end;

	/* A notice may go without (RFC 8689 section 5). */
	assert(!message->envelope->is_requiretls || *message->sender == '\0' ||
	    says_requiretls(&transaction));
	/* No recipient has a verdict yet. */
	dialogue_begin_verdict(&client->dialogue, &verdict);
	set_all(&verdict, message, ret_verdicts);
	end = hold(&transaction);
	*ret_refusal = transaction.refusal;
	return end;
}
