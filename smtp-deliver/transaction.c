/* SPDX-License-Identifier: ISC */

/*
 * transaction.c - hand one message to a remote host (RFC 5321 sections 3.3,
 * 4.1.1, 4.5.2; RFC 1870, 6152, 6531).
 *
 *	ready -> MAIL -> RCPT ... -> DATA -> CONTENT -> ready
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/utf8.h"
#include "smtp-deliver/transaction.h"

#define READ_SIZE 65536

static ssize_t
read_block(const struct transaction_message *message, uint64_t done,
    char *buffer)
{
	uint64_t left = message->size_bytes - done;
	ssize_t n;

	do
		n = pread(message->fd, buffer,
		    left < READ_SIZE ? (size_t)left : READ_SIZE,
		    (off_t)(message->offset + done));
	while (n == -1 && errno == EINTR);
	return n == -1 ? -errno : n;
}

/* Whether the message has octets outside ASCII, as far as can be read. */
static bool
is_8bit(const struct transaction_message *message)
{
	char buffer[READ_SIZE];
	uint64_t done = 0;
	ssize_t n;

	while ((n = read_block(message, done, buffer)) > 0) {
		if (has_high_octet(buffer, (size_t)n))
			return true;
		done += (uint64_t)n;
	}
	return false;
}

static bool
has_utf8_address(const struct transaction_message *message)
{
	const struct envelope *envelope = message->envelope;

	if (has_high_octet(envelope->sender, strlen(envelope->sender)))
		return true;
	for (size_t i = 0; i < message->recipient_count; i++) {
		const char *address =
		    envelope->recipients[message->recipients[i]];

		if (has_high_octet(address, strlen(address)))
			return true;
	}
	return false;
}

static void
set_all(const struct verdict *verdict,
    const struct transaction_message *message, struct verdict *ret_verdicts)
{
	for (size_t i = 0; i < message->recipient_count; i++)
		ret_verdicts[i] = *verdict;
}

/* Whether the host offers what the message needs; verdict says what it lacks.
 * Without MIME conversion of ours such a message cannot go there. */
static bool
can_take(const struct client *client, const struct transaction_message *message,
    struct verdict *ret_verdict)
{
	const struct envelope *envelope = message->envelope;

	dialogue_begin_verdict(&client->dialogue, ret_verdict);
	if (client->offers.size_max > 0 &&
	    message->size_bytes > client->offers.size_max)
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.3.4",
		    "the host takes %ju octets at the most",
		    (uintmax_t)client->offers.size_max);
	else if (envelope->is_smtputf8 && !client->offers.has_smtputf8 &&
	    (has_utf8_address(message) || is_8bit(message)))
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.6.7",
		    "the host does not offer SMTPUTF8");
	else if (envelope->is_8bitmime && !client->offers.has_8bitmime &&
	    is_8bit(message))
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.6.3",
		    "the host does not offer 8BITMIME");
	else
		return true;
	return false;
}

static int
say_mail(struct client *client, const struct transaction_message *message,
    struct verdict *ret_verdict)
{
	const struct envelope *envelope = message->envelope;
	char size[32] = "";

	if (client->offers.has_size)
		(void)snprintf(size, sizeof(size), " SIZE=%ju",
		    (uintmax_t)message->size_bytes);
	return dialogue_say(&client->dialogue, STEP_MAIL, ret_verdict,
	    "MAIL FROM:<%s>%s%s%s", envelope->sender, size,
	    envelope->is_8bitmime && client->offers.has_8bitmime
		? " BODY=8BITMIME"
		: "",
	    envelope->is_smtputf8 && client->offers.has_smtputf8 ? " SMTPUTF8"
								 : "");
}

/* The connection was lost at a recipient: that holds for those behind it too,
 * and for those that were accepted before. Who was refused stays so. */
static void
set_lost(const struct transaction_message *message, size_t at,
    struct verdict *verdicts)
{
	struct verdict lost = verdicts[at];

	for (size_t i = 0; i < message->recipient_count; i++)
		if (i >= at || verdict_is_good(&verdicts[i]))
			verdicts[i] = lost;
}

/* Offer each recipient. ret_accepted counts those that were taken. */
static int
say_recipients(struct client *client, const struct transaction_message *message,
    struct verdict *ret_verdicts, size_t *ret_accepted)
{
	*ret_accepted = 0;
	for (size_t i = 0; i < message->recipient_count; i++) {
		size_t n = message->recipients[i];
		int r =
		    dialogue_say(&client->dialogue, STEP_RCPT, &ret_verdicts[i],
			"RCPT TO:<%s>", message->envelope->recipients[n]);

		if (r < 0) {
			set_lost(message, i, ret_verdicts);
			return r;
		}
		*ret_accepted += verdict_is_good(&ret_verdicts[i]);
	}
	return 0;
}

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
send_content(struct client *client, const struct transaction_message *message)
{
	char buffer[READ_SIZE];
	bool is_at_line = true;
	uint64_t done = 0;
	int r;

	while (done < message->size_bytes) {
		ssize_t n = read_block(message, done, buffer);

		/* Half a message must not get its dot: hang up. */
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

/* Replace the verdict of those that were accepted so far. */
static void
set_accepted(const struct verdict *verdict,
    const struct transaction_message *message, struct verdict *ret_verdicts)
{
	for (size_t i = 0; i < message->recipient_count; i++)
		if (verdict_is_good(&ret_verdicts[i]))
			ret_verdicts[i] = *verdict;
}

/* Bring the host back to where a transaction can begin. */
static enum transaction_end
reset(struct client *client)
{
	struct verdict verdict;

	if (dialogue_say(&client->dialogue, STEP_RSET, &verdict, "RSET") < 0 ||
	    !verdict_is_good(&verdict))
		return TRANSACTION_LOST;
	return TRANSACTION_READY;
}

/* DATA, the message, the dot. */
static enum transaction_end
send_data(struct client *client, const struct transaction_message *message,
    struct verdict *ret_verdicts)
{
	struct verdict verdict;
	int r;

	r = dialogue_say(&client->dialogue, STEP_DATA, &verdict, "DATA");
	if (r < 0 || !verdict_is_good(&verdict)) {
		set_accepted(&verdict, message, ret_verdicts);
		return r < 0 ? TRANSACTION_LOST : reset(client);
	}
	if ((r = dialogue_check_step(&client->dialogue)) < 0 ||
	    (r = send_content(client, message)) < 0) {
		dialogue_set_broken(&client->dialogue, STEP_CONTENT, r,
		    &verdict);
		set_accepted(&verdict, message, ret_verdicts);
		return TRANSACTION_LOST;
	}
	if ((r = stream_put(client->dialogue.stream, ".\r\n", 3)) < 0) {
		dialogue_set_broken(&client->dialogue, STEP_CONTENT, r,
		    &verdict);
	} else
		r = dialogue_get_reply(&client->dialogue, STEP_CONTENT,
		    &verdict);
	set_accepted(&verdict, message, ret_verdicts);
	if (r < 0)
		return verdict.reply[0] == '\0' ? TRANSACTION_UNSURE
						: TRANSACTION_LOST;
	return TRANSACTION_READY;
}

enum transaction_end
transaction_run(struct client *client,
    const struct transaction_message *message, struct verdict *ret_verdicts)
{
	struct verdict verdict;
	size_t accepted;
	int r;

	if (!can_take(client, message, &verdict)) {
		set_all(&verdict, message, ret_verdicts);
		return TRANSACTION_READY;
	}
	r = say_mail(client, message, &verdict);
	if (r < 0 || !verdict_is_good(&verdict)) {
		set_all(&verdict, message, ret_verdicts);
		return r < 0 ? TRANSACTION_LOST : reset(client);
	}
	if (say_recipients(client, message, ret_verdicts, &accepted) < 0)
		return TRANSACTION_LOST;
	if (accepted == 0)
		return reset(client);
	return send_data(client, message, ret_verdicts);
}
