/* SPDX-License-Identifier: ISC */

/*
 * client.c - the client's side of an SMTP dialogue (RFC 5321 sections 3.1 to
 * 3.3, 4.1.1, 4.2; RFC 1870, 3207, 6152, 6531).
 *
 *	connect -> GREETING -> EHLO -> (STARTTLS -> EHLO) -> ready
 *	ready -> MAIL -> RCPT ... -> DATA -> CONTENT -> ready
 *
 * Each step waits for a reply, for as long as RFC 5321 section 4.5.3.2 says.
 * A connection that is lost, or on which something was said that we do not
 * understand, is not used any further.
 */

#include "config.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/stream.h"
#include "lib/tls.h"
#include "lib/utf8.h"
#include "smtp-deliver/client.h"
#include "smtp-deliver/remote.h"

#define CONNECT_SEC 30
#define HANDSHAKE_SEC 60
#define BLOCK_SEC 180 /* for each block of the message: section 4.5.3.2.5 */
#define READ_SIZE 65536

enum step {
	STEP_GREETING,
	STEP_EHLO,
	STEP_HELO,
	STEP_STARTTLS,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_CONTENT,
	STEP_RSET,
	STEP_QUIT,
};

struct step_rule {
	const char *name; /* for people: "... to <name>" */
	int timeout_sec;
	int expected; /* class of the reply that lets us go on */
};

static const struct step_rule rules[] = {
	[STEP_GREETING] = { "the connection", 300, 2 },
	[STEP_EHLO] = { "EHLO", 300, 2 },
	[STEP_HELO] = { "HELO", 300, 2 },
	[STEP_STARTTLS] = { "STARTTLS", 120, 2 },
	[STEP_MAIL] = { "MAIL", 300, 2 },
	[STEP_RCPT] = { "RCPT", 300, 2 },
	[STEP_DATA] = { "DATA", 120, 3 },
	[STEP_CONTENT] = { "the message", 600, 2 },
	[STEP_RSET] = { "RSET", 300, 2 },
	[STEP_QUIT] = { "QUIT", 2, 2 },
};

struct client {
	const struct settings *settings;
	struct stream *stream;
	int fd;
	char host[VERDICT_HOST_SIZE]; /* with its address, for verdicts */
	char tls[VERDICT_TLS_SIZE];
	bool has_starttls;
	bool has_8bitmime;
	bool has_smtputf8;
	bool has_size;
	uint64_t size_max; /* 0: it set no limit */
};

/* SMTP_REMOTE_TIMEOUT bounds every wait. */
static int
bounded_sec(const struct client *client, int seconds)
{
	return seconds < client->settings->remote_timeout_sec
	    ? seconds
	    : client->settings->remote_timeout_sec;
}

static int64_t
deadline_after(const struct client *client, int seconds)
{
	return clock_mono_ms() + (int64_t)bounded_sec(client, seconds) * 1000;
}

/* Say who the verdict is about, and that the host has said nothing. */
static void
begin_verdict(const struct client *client, struct verdict *verdict)
{
	*verdict = (struct verdict){ .outcome = OUTCOME_DEFERRED };
	(void)strlcpy(verdict->host, client->host, sizeof(verdict->host));
	(void)strlcpy(verdict->tls, client->tls, sizeof(verdict->tls));
}

/* A step that got no reply which can be used. */
static void
set_broken(const struct client *client, enum step step, int error,
    struct verdict *ret_verdict)
{
	begin_verdict(client, ret_verdict);
	if (error == -EPROTO)
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.5.0",
		    "no SMTP reply to %s", rules[step].name);
	else if (error == -EBADE)
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.5.0",
		    "a reply that came before %s", rules[step].name);
	else if (error == -ETIMEDOUT)
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.2",
		    "no reply to %s in time", rules[step].name);
	else
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.2",
		    "connection lost at %s: %s", rules[step].name,
		    strerror(-error));
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

/* A verdict in the host's own words. */
static void
set_from_reply(const struct client *client, enum step step,
    const struct remote_reply *reply, struct verdict *ret_verdict)
{
	begin_verdict(client, ret_verdict);
	ret_verdict->outcome = reply_outcome(reply, step);
	(void)strlcpy(ret_verdict->status, reply->status,
	    sizeof(ret_verdict->status));
	(void)strlcpy(ret_verdict->reply, reply->text,
	    sizeof(ret_verdict->reply));
	if (ret_verdict->outcome != OUTCOME_DELIVERED)
		(void)snprintf(ret_verdict->reason, sizeof(ret_verdict->reason),
		    "refused at %s", rules[step].name);
}

/* Get the reply to a step, and say what it means for what was asked. Returns
 * 0, or a negative errno if the connection is of no more use. */
static int
get_reply(struct client *client, enum step step, remote_line *see_line,
    struct verdict *ret_verdict)
{
	struct remote_reply reply;
	int r = remote_get_reply(client->stream,
	    deadline_after(client, rules[step].timeout_sec), see_line, client,
	    &reply);

	if (r < 0) {
		set_broken(client, step, r, ret_verdict);
		return r;
	}
	set_from_reply(client, step, &reply, ret_verdict);
	/* 421 to anything: it is about to hang up. */
	return reply.code == 421 ? -ECONNRESET : 0;
}

/* A host that has said more than it was asked for is out of step: what it says
 * would be taken for the reply to what comes next, which it has not seen. */
static int
check_step(const struct client *client)
{
	return stream_has_input(client->stream) ? -EBADE : 0;
}

/* Say a command and get its reply. */
__attribute__((format(printf, 5, 6))) static int
say(struct client *client, enum step step, remote_line *see_line,
    struct verdict *ret_verdict, const char *format, ...)
{
	char text[REMOTE_LINE_MAX];
	va_list args;
	int r;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if ((r = check_step(client)) < 0 ||
	    (r = stream_printf(client->stream, "%s\r\n", text)) < 0) {
		set_broken(client, step, r, ret_verdict);
		return r;
	}
	return get_reply(client, step, see_line, ret_verdict);
}

static bool
is_accepted(const struct verdict *verdict)
{
	return verdict->outcome == OUTCOME_DELIVERED;
}

/* Whether an offer is of that keyword, whatever stands behind it. */
static bool
is_keyword(const char *text, const char *keyword)
{
	size_t length = strlen(keyword);

	return strncasecmp(text, keyword, length) == 0 &&
	    (text[length] == '\0' || text[length] == ' ');
}

/* A line of the reply to EHLO: what the host offers. */
static void
see_offer(void *context, const char *text)
{
	struct client *client = context;

	if (is_keyword(text, "STARTTLS"))
		client->has_starttls = true;
	else if (is_keyword(text, "8BITMIME"))
		client->has_8bitmime = true;
	else if (is_keyword(text, "SMTPUTF8"))
		client->has_smtputf8 = true;
	else if (is_keyword(text, "SIZE")) {
		client->has_size = true;
		client->size_max = strtoull(text + 4, NULL, 10);
	}
}

/* EHLO, or HELO where that is not known. */
static int
say_hello(struct client *client, struct verdict *ret_verdict)
{
	const char *hostname = client->settings->hostname;
	int r;

	client->has_starttls = client->has_8bitmime = client->has_smtputf8 =
	    client->has_size = false;
	client->size_max = 0;
	r = say(client, STEP_EHLO, see_offer, ret_verdict, "EHLO %s", hostname);
	if (r == 0 && ret_verdict->outcome == OUTCOME_FAILED) {
		/* What stood in the refusal was no offer. */
		client->has_starttls = client->has_8bitmime =
		    client->has_smtputf8 = client->has_size = false;
		r = say(client, STEP_HELO, NULL, ret_verdict, "HELO %s",
		    hostname);
	}
	return r == 0 && !is_accepted(ret_verdict) ? -EHOSTUNREACH : r;
}

static int
start_tls(struct client *client, const char *host, struct verdict *ret_verdict)
{
	struct tls_result result;
	int r;

	r = say(client, STEP_STARTTLS, NULL, ret_verdict, "STARTTLS");
	if (r < 0 || !is_accepted(ret_verdict))
		return r < 0 ? r : -EHOSTUNREACH;
	r = tls_connect(client->stream, host, client->settings->tls_ca_file,
	    deadline_after(client, HANDSHAKE_SEC), &result);
	if (r < 0) {
		begin_verdict(client, ret_verdict);
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.7.5", "TLS: %s",
		    result.error);
		return r;
	}
	(void)snprintf(client->tls, sizeof(client->tls), "%s %s",
	    result.protocol, result.cipher);
	return say_hello(client, ret_verdict);
}

/* From the greeting up to where messages can be sent. */
static int
introduce(struct client *client, const char *host, struct verdict *ret_verdict)
{
	int r;

	r = get_reply(client, STEP_GREETING, NULL, ret_verdict);
	if (r < 0 || !is_accepted(ret_verdict))
		return -EHOSTUNREACH;
	if ((r = say_hello(client, ret_verdict)) < 0)
		return r;
	return client->has_starttls ? start_tls(client, host, ret_verdict) : 0;
}

/* Wait for what became of a connection that is under way. */
static int
await_connection(int fd, int64_t deadline_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	int64_t left_ms = deadline_ms - clock_mono_ms();
	int error;
	socklen_t length = sizeof(error);

	if (left_ms <= 0 || poll(&pfd, 1, (int)left_ms) <= 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1)
		return -errno;
	return -error;
}

/* Connect within the deadline. Returns a socket or a negative errno. */
static int
connect_socket(const struct sockaddr *address, socklen_t address_length,
    int64_t deadline_ms)
{
	int fd = socket(address->sa_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, r = 0;

	if (fd == -1)
		return -errno;
	/* What is sent is one command, or all there is of a message. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, address, address_length) == -1)
		r = errno == EINPROGRESS ? await_connection(fd, deadline_ms)
					 : -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static void
set_host(struct client *client, const char *host,
    const struct sockaddr *address, socklen_t address_length)
{
	char ip[INET6_ADDRSTRLEN + 16] = "?";

	(void)getnameinfo(address, address_length, ip, sizeof(ip), NULL, 0,
	    NI_NUMERICHOST);
	if (strcmp(host, ip) == 0)
		(void)snprintf(client->host, sizeof(client->host), "[%s]", ip);
	else
		(void)snprintf(client->host, sizeof(client->host), "%s[%s]",
		    host, ip);
}

/* What went wrong before or in the introduction makes no recipient fail: the
 * host may have its reasons today. */
static void
make_temporary(struct verdict *verdict)
{
	verdict->outcome = OUTCOME_DEFERRED;
	verdict->status[0] = '4';
}

int
client_open(const char *host, const struct sockaddr *address,
    socklen_t address_length, const struct settings *settings,
    struct client **ret_client, struct verdict *ret_verdict)
{
	struct client *client = calloc(1, sizeof(*client));
	int r;

	if (client == NULL) {
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.3.0",
		    "no memory");
		return -EHOSTUNREACH;
	}
	client->settings = settings;
	set_host(client, host, address, address_length);
	begin_verdict(client, ret_verdict);
	r = client->fd = connect_socket(address, address_length,
	    deadline_after(client, CONNECT_SEC));
	if (r < 0) {
		verdict_set(ret_verdict, OUTCOME_DEFERRED, "4.4.1",
		    "no connection: %s", strerror(-r));
	} else if ((r = stream_open(client->fd, client->fd,
			bounded_sec(client, BLOCK_SEC) * 1000,
			&client->stream)) == 0)
		r = introduce(client, host, ret_verdict);
	if (r < 0) {
		make_temporary(ret_verdict);
		/* Whoever has just refused us is told goodbye (RFC 5321 section
		 * 4.1.1.10). */
		if (r == -EHOSTUNREACH && client->stream != NULL)
			client_quit(client);
		else
			client_drop(client);
		return -EHOSTUNREACH;
	}
	*ret_client = client;
	return 0;
}

void
client_drop(struct client *client)
{
	if (client == NULL)
		return;
	stream_free(client->stream);
	if (client->fd >= 0)
		close(client->fd);
	free(client);
}

void
client_quit(struct client *client)
{
	struct verdict ignored;

	if (client == NULL)
		return;
	(void)say(client, STEP_QUIT, NULL, &ignored, "QUIT");
	client_drop(client);
}

static ssize_t
read_block(const struct client_message *message, uint64_t done, char *buffer)
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
is_8bit(const struct client_message *message)
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
has_utf8_address(const struct client_message *message)
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
set_all(const struct verdict *verdict, const struct client_message *message,
    struct verdict *ret_verdicts)
{
	for (size_t i = 0; i < message->recipient_count; i++)
		ret_verdicts[i] = *verdict;
}

/* Whether the host offers what the message needs; verdict says what it lacks.
 * Without MIME conversion of ours such a message cannot go there. */
static bool
can_take(const struct client *client, const struct client_message *message,
    struct verdict *ret_verdict)
{
	const struct envelope *envelope = message->envelope;

	begin_verdict(client, ret_verdict);
	if (client->size_max > 0 && message->size_bytes > client->size_max)
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.3.4",
		    "the host takes %ju octets at the most",
		    (uintmax_t)client->size_max);
	else if (envelope->is_smtputf8 && !client->has_smtputf8 &&
	    (has_utf8_address(message) || is_8bit(message)))
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.6.7",
		    "the host does not offer SMTPUTF8");
	else if (envelope->is_8bitmime && !client->has_8bitmime &&
	    is_8bit(message))
		verdict_set(ret_verdict, OUTCOME_FAILED, "5.6.3",
		    "the host does not offer 8BITMIME");
	else
		return true;
	return false;
}

static int
say_mail(struct client *client, const struct client_message *message,
    struct verdict *ret_verdict)
{
	const struct envelope *envelope = message->envelope;
	char size[32] = "";

	if (client->has_size)
		(void)snprintf(size, sizeof(size), " SIZE=%ju",
		    (uintmax_t)message->size_bytes);
	return say(client, STEP_MAIL, NULL, ret_verdict, "MAIL FROM:<%s>%s%s%s",
	    envelope->sender, size,
	    envelope->is_8bitmime && client->has_8bitmime ? " BODY=8BITMIME"
							  : "",
	    envelope->is_smtputf8 && client->has_smtputf8 ? " SMTPUTF8" : "");
}

/* The connection was lost at a recipient: that holds for those behind it too,
 * and for those that were accepted before. Who was refused stays so. */
static void
set_lost(const struct client_message *message, size_t at,
    struct verdict *verdicts)
{
	struct verdict lost = verdicts[at];

	for (size_t i = 0; i < message->recipient_count; i++)
		if (i >= at || is_accepted(&verdicts[i]))
			verdicts[i] = lost;
}

/* Offer each recipient. ret_accepted counts those that were taken. */
static int
say_recipients(struct client *client, const struct client_message *message,
    struct verdict *ret_verdicts, size_t *ret_accepted)
{
	*ret_accepted = 0;
	for (size_t i = 0; i < message->recipient_count; i++) {
		size_t n = message->recipients[i];
		int r = say(client, STEP_RCPT, NULL, &ret_verdicts[i],
		    "RCPT TO:<%s>", message->envelope->recipients[n]);

		if (r < 0) {
			set_lost(message, i, ret_verdicts);
			return r;
		}
		*ret_accepted += is_accepted(&ret_verdicts[i]);
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
send_content(struct client *client, const struct client_message *message)
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
		r = send_stuffed(client->stream, buffer, (size_t)n,
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
    const struct client_message *message, struct verdict *ret_verdicts)
{
	for (size_t i = 0; i < message->recipient_count; i++)
		if (is_accepted(&ret_verdicts[i]))
			ret_verdicts[i] = *verdict;
}

/* Bring the host back to where a transaction can begin. */
static enum client_state
reset(struct client *client)
{
	struct verdict verdict;

	if (say(client, STEP_RSET, NULL, &verdict, "RSET") < 0 ||
	    !is_accepted(&verdict))
		return CLIENT_LOST;
	return CLIENT_READY;
}

/* DATA, the message, the dot. */
static enum client_state
send_data(struct client *client, const struct client_message *message,
    struct verdict *ret_verdicts)
{
	struct verdict verdict;
	int r;

	r = say(client, STEP_DATA, NULL, &verdict, "DATA");
	if (r < 0 || !is_accepted(&verdict)) {
		set_accepted(&verdict, message, ret_verdicts);
		return r < 0 ? CLIENT_LOST : reset(client);
	}
	if ((r = check_step(client)) < 0 ||
	    (r = send_content(client, message)) < 0) {
		set_broken(client, STEP_CONTENT, r, &verdict);
		set_accepted(&verdict, message, ret_verdicts);
		return CLIENT_LOST;
	}
	if ((r = stream_put(client->stream, ".\r\n", 3)) < 0) {
		set_broken(client, STEP_CONTENT, r, &verdict);
	} else
		r = get_reply(client, STEP_CONTENT, NULL, &verdict);
	set_accepted(&verdict, message, ret_verdicts);
	if (r < 0)
		return verdict.reply[0] == '\0' ? CLIENT_UNSURE : CLIENT_LOST;
	return CLIENT_READY;
}

enum client_state
client_send(struct client *client, const struct client_message *message,
    struct verdict *ret_verdicts)
{
	struct verdict verdict;
	size_t accepted;
	int r;

	if (!can_take(client, message, &verdict)) {
		set_all(&verdict, message, ret_verdicts);
		return CLIENT_READY;
	}
	r = say_mail(client, message, &verdict);
	if (r < 0 || !is_accepted(&verdict)) {
		set_all(&verdict, message, ret_verdicts);
		return r < 0 ? CLIENT_LOST : reset(client);
	}
	if (say_recipients(client, message, ret_verdicts, &accepted) < 0)
		return CLIENT_LOST;
	if (accepted == 0)
		return reset(client);
	return send_data(client, message, ret_verdicts);
}
