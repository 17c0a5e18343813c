/* SPDX-License-Identifier: ISC */

/*
 * client.c - our dialogue with remote hosts: whatever a host sends, we send
 * only SMTP, end the message only once, and set a verdict for each recipient.
 *
 * STARTTLS starts not TLS, but a transport that changes nothing: octets that
 * were received before the handshake must not be used after it (RFC 3207
 * section 4.2).
 */

#include "config.h"

#include <sys/mman.h>

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/tls.h"
#include "smtp-deliver/client/client.h"
#include "smtp-deliver/client/transaction.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/log.h"
#include "t/fuzz/peer.h"

#define LINE_MAX_OCTETS 2048

static const char message_text[] = "Subject: dots\r\n"
				   "\r\n"
				   ".\r\n"
				   "..\r\n"
				   "\xc3\xbc\r\n"
				   ".\r\n";
static const char stuffed[] = "Subject: dots\r\n"
			      "\r\n"
			      "..\r\n"
			      "...\r\n"
			      "\xc3\xbc\r\n"
			      "..\r\n"
			      ".\r\n";

static struct deliver_settings settings;
static struct sockaddr_in ip = { .sin_family = AF_INET };
static const struct addrinfo address = {
	.ai_addr = (struct sockaddr *)&ip,
	.ai_addrlen = sizeof(ip),
};
static int message_fd;

/* The credential to use, if the input begins with one of these lines, which the
 * peer does not send. */
#define SECRET "open sesame!"
static struct {
	const char *text;
	unsigned mechanisms;
} const modes[] = {
	{ "AUTH\n", CREDENTIAL_PASSWORD },
	{ "LOGIN\n", CREDENTIAL_LOGIN },
	{ "TOKEN\n", CREDENTIAL_XOAUTH2 },
};
static char secret[] = SECRET;
static struct credential known = { .host = "mx.test",
	.line = 1,
	.user = "me",
	.secret = secret };
static const struct credential *credential; /* NULL: no credential */

static const struct trust trust = { .level = LEVEL_VERIFY, .host = "mx.test" };

int __wrap_tls_connect(struct stream *stream, const struct tls_policy *policy,
    struct tls_memory *memory, int64_t deadline_mono_ms,
    struct tls_result *ret_result);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char error[SETTINGS_ERROR_SIZE];

	(void)argc;
	(void)argv;
	log_open("smtp-deliver");
	must(clearenv() == 0);
	must(setenv("SMTP_HOSTNAME", "mail.test", 1) == 0);
	must(deliver_settings_load(&settings, error) == 0);
	message_fd = memfd_create("message", MFD_CLOEXEC);
	must(write(message_fd, message_text, sizeof(message_text) - 1) ==
	    (ssize_t)sizeof(message_text) - 1);
	return 0;
}

/* ---- no TLS ---- */

int
__wrap_tls_connect(struct stream *stream, const struct tls_policy *policy,
    struct tls_memory *memory, int64_t deadline_mono_ms,
    struct tls_result *ret_result)
{
	must(strcmp(policy->host, "mx.test") == 0 &&
	    policy->check == TLS_CHECK_NAME && policy->ca_file == NULL);
	must(memory == NULL && deadline_mono_ms > 0);
	*ret_result =
	    (struct tls_result){ .protocol = "TLS", .cipher = "none" };
	stream_start_transport(stream, &peer_transport, stream);
	must(!stream_has_input(stream));
	return 0;
}

/* ---- what was sent ---- */

/* Only AUTH sends such lines. */
static bool
is_base64(const char *line, size_t length)
{
	return strspn(line,
		   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		   "abcdefghijklmnopqrstuvwxyz0123456789+/=") >= length;
}

static bool is_secured; /* STARTTLS was sent */

static bool
is_command(const char *line, size_t length)
{
	static const char *const commands[] = { "EHLO mail.test",
		"HELO mail.test", "STARTTLS", "MAIL FROM:<a@client.test>",
		"RCPT TO:<b@example.org>", "RCPT TO:<c@example.org>", "DATA",
		"RSET", "QUIT" };

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		size_t expected = strlen(commands[i]);

		if (length >= expected &&
		    strncmp(line, commands[i], expected) == 0)
			return fuzz_is_printable(line, length);
	}
	return credential != NULL && is_secured &&
	    (strncmp(line, "AUTH ", 5) == 0 || is_base64(line, length));
}

/* Check the commands, and the message after DATA. Returns how often the message
 * was sent completely. */
static unsigned
check_words(const char *said)
{
	unsigned messages = 0;
	bool is_after_data = false;

	is_secured = false;

	while (*said != '\0') {
		const char *end = strstr(said, "\r\n");
		size_t length = end != NULL ? (size_t)(end - said) : 0;

		must(end != NULL && length <= LINE_MAX_OCTETS);
		if (is_after_data &&
		    strncmp(said, stuffed, sizeof(stuffed) - 1) == 0) {
			messages++;
			said += sizeof(stuffed) - 1;
			is_after_data = false;
			continue;
		}
		/* No recipient was accepted, but DATA was (RFC 2920 section
		 * 3.1). */
		if (is_after_data && strncmp(said, ".\r\n", 3) == 0) {
			said += 3;
			is_after_data = false;
			continue;
		}
		must(is_command(said, length));
		is_secured |= strncmp(said, "STARTTLS\r\n", 10) == 0;
		is_after_data = strncmp(said, "DATA\r\n", 6) == 0;
		said = end + 2;
	}
	return messages;
}

static void
check_verdict(const struct verdict *verdict)
{
	must(verdict->outcome > OUTCOME_NONE &&
	    verdict->outcome <= OUTCOME_FAILED);
	must(
	    verdict->outcome != OUTCOME_DELIVERED || verdict->status[0] == '2');
	must(verdict->outcome != OUTCOME_FAILED || verdict->status[0] == '5');
	must(verdict->reply[0] != '\0' || verdict->reason[0] != '\0');
	audit_write(&(struct audit_record){
	    .event = AUDIT_DEFERRED,
	    .host = verdict->host,
	    .tls = verdict->tls,
	    .status = verdict->status,
	    .reply = verdict->reply,
	    .reason = verdict->reason,
	});
}

/* ---- a message ---- */

/* Returns whether the message was delivered to any recipient. */
static bool
send_message(struct client *client, enum transaction_end *ret_state)
{
	char sender[] = "a@client.test", one[] = "b@example.org",
	     other[] = "c@example.org";
	char orcpt[] = "rfc822;b@example.org";
	char *recipients[] = { one, other };
	struct dsn_request requests[] = { { DSN_NEVER, orcpt }, { 0, NULL } };
	struct envelope envelope = {
		.id = "019aad1f6b2e5d0c7f3a9be1",
		.sender = sender,
		.recipients = recipients,
		.requests = requests,
		.recipient_count = 2,
		.dsn_return = DSN_RETURN_FULL,
		.is_8bitmime = true,
	};
	static const size_t indices[] = { 0, 1 };
	const struct message stored = {
		.fd = message_fd,
		.content_size_bytes = sizeof(message_text) - 1,
	};
	const struct content content = { .message = &stored };
	struct transaction_message message = {
		.envelope = &envelope,
		.sender = envelope.sender,
		.content = &content,
		.fields = "",
		.recipients = indices,
		.recipient_count = 2,
	};
	struct verdict verdicts[2] = { { OUTCOME_NONE }, { OUTCOME_NONE } };
	enum transaction_refusal refusal;

	*ret_state = TRANSACTION_READY;
	content_find_octets(&content, &message.octets);
	if (!transaction_can_take(client, &message, &verdicts[0]))
		return false;
	*ret_state = transaction_run(client, &message, verdicts, &refusal);
	check_verdict(&verdicts[0]);
	check_verdict(&verdicts[1]);
	return verdicts[0].outcome == OUTCOME_DELIVERED ||
	    verdicts[1].outcome == OUTCOME_DELIVERED;
}

/* Two messages over one connection. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	enum transaction_end state = TRANSACTION_READY;
	struct client *client;
	unsigned delivered = 0;
	size_t length;
	const char *said;

	credential = NULL;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (credential == NULL &&
		    fuzz_take(&data, &size, modes[i].text)) {
			known.mechanisms = modes[i].mechanisms;
			credential = &known;
		}
	if (client_open(&trust, peer_connect(data, size), &address, credential,
		NULL, &settings, &client, &verdict) == CLIENT_OPEN) {
		for (int i = 0; i < 2 && state == TRANSACTION_READY; i++)
			delivered += send_message(client, &state);
		if (state == TRANSACTION_READY)
			client_quit(client);
		else
			client_drop(client);
	} else {
		must(verdict.outcome == OUTCOME_DEFERRED);
		check_verdict(&verdict);
		must(verdict.is_auth_trouble == 0 ||
		    (credential != NULL &&
			strcasestr(verdict.reply, SECRET) == NULL));
	}
	said = peer_end(&length);
	must(strlen(said) == length);
	must(check_words(said) >= delivered);
	return 0;
}
