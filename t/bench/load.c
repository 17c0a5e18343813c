/* SPDX-License-Identifier: ISC */

/*
 * load.c - concurrent SMTP clients for the benchmark.
 *
 *	load [OPTION...] PORT
 *
 *	-c N	clients (1)
 *	-k N	messages per connection; 0 for as many as time allows (0)
 *	-s N	octets per message, header included (4096)
 *	-w SEC	time to warm up, not counted (0)
 *	-t SEC	time to count (1)
 *	-n N	stop after this many messages, or connections with -q
 *	-p	pipeline: write all commands of a message at once, and those of
 *		the next one together with its dot
 *	-q	no messages: connect, send QUIT, read to the end
 *
 * Connects to 127.0.0.1 only. One process serves all clients with epoll(7);
 * each client waits for a reply before it continues. Prints one line of JSON:
 * messages answered with 250 in the counted time, and in total. When the time
 * is over each client finishes its message.
 */

#include "config.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 4096
#define FAILURES_MAX 20
#define THROTTLE_NS (60 * 1000000000LL)
#define LATENCIES_MAX 1000000
#define INPUT_SIZE 4096

#define ENVELOPE_MAIL "MAIL FROM:<sender@example.com>\r\n"
#define ENVELOPE_RCPT "RCPT TO:<recipient@example.net>\r\n"
#define ENVELOPE_DATA "DATA\r\n"
#define ENVELOPE ENVELOPE_MAIL ENVELOPE_RCPT ENVELOPE_DATA
#define QUIT "QUIT\r\n"

/* The reply that a client waits for; ECHO is any input until the end. */
enum step {
	STEP_GREETING,
	STEP_EHLO,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_END,
	STEP_BYE,
	STEP_ECHO,
};

static const char *const codes[] = { "220", "250", "250", "250", "354", "250",
	"221", "" };

struct client {
	int fd;
	enum step step;
	bool is_shut_after; /* shut down for writing after this output */
	bool goes_on; /* another message follows this one */
	unsigned long left; /* messages left for this connection */
	int64_t begin_ns; /* start of the message */
	const char *output;
	size_t output_left;
	size_t input_used;
	char input[INPUT_SIZE];
};

static struct {
	unsigned long clients, per_connection, size, most;
	double warm_sec, sec;
	bool is_pipelining, is_quit_only;
	struct sockaddr_in server;
} options = { .clients = 1, .size = 4096, .most = 1000000000, .sec = 1 };

/* A message, and the same with the commands that may follow it in one write. */
static struct blob {
	char *data;
	size_t length;
} message, message_and_next, message_and_quit;

static int64_t start_ns, counting_ns, end_ns;
static unsigned long begun, done, counted, connections, failures;
static uint32_t *latencies_us;
static size_t latency_count;
static int epoll_fd;

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct blob
make_blob(const char *text, size_t size, const char *more)
{
	struct blob blob = { malloc(size + strlen(more)), size + strlen(more) };

	if (blob.data == NULL)
		err(EX_OSERR, "malloc");
	memcpy(blob.data, text, size);
	memcpy(blob.data + size, more, strlen(more));
	return blob;
}

/* Make a message with typical header fields, in lines of 78 octets. */
static void
make_messages(void)
{
	static const char header[] = "From: <sender@example.com>\r\n"
				     "To: <recipient@example.net>\r\n"
				     "Subject: benchmark\r\n"
				     "Date: Sun, 22 Nov 2026 18:31:00 +0000\r\n"
				     "Message-ID: <benchmark@example.com>\r\n"
				     "\r\n";
	size_t size = options.size > sizeof(header) + 2 ? options.size
							: sizeof(header) + 2;
	char *text = malloc(size);

	if (text == NULL)
		err(EX_OSERR, "malloc");
	memcpy(text, header, sizeof(header) - 1);
	for (size_t i = sizeof(header) - 1; i < size; i++) {
		size_t column = (i - sizeof(header) + 1) % 78;

		text[i] = (char)(column == 76 ? '\r'
			: column == 77        ? '\n'
					      : 'a' + i % 23);
	}
	if (text[size - 3] == '\r')
		text[size - 3] = 'x';
	memcpy(text + size - 2, "\r\n", 2);
	message = make_blob(text, size, ".\r\n");
	message_and_next = make_blob(text, size, ".\r\n" ENVELOPE);
	message_and_quit = make_blob(text, size, ".\r\n" QUIT);
	free(text);
}

static void watch(struct client *client, int operation);
static void client_connect(struct client *client);

static void
client_fail(struct client *client, const char *what)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	warnx("client in step %d: %s", client->step, what);
	if (++failures > FAILURES_MAX)
		errx(EX_UNAVAILABLE, "too many failures");
}

static void
client_flush(struct client *client)
{
	while (client->output_left > 0) {
		ssize_t n =
		    write(client->fd, client->output, client->output_left);

		if (n == -1) {
			if (errno == EAGAIN) {
				watch(client, EPOLL_CTL_MOD);
				return;
			}
			client_fail(client, strerror(errno));
			return;
		}
		client->output += n;
		client->output_left -= (size_t)n;
	}
	if (client->is_shut_after)
		shutdown(client->fd, SHUT_WR);
}

static void
client_say(struct client *client, const char *text, size_t length)
{
	client->output = text;
	client->output_left = length;
	client_flush(client);
}

static void
client_say_line(struct client *client, const char *line)
{
	client_say(client, line, strlen(line));
}

/* Wait for input, and for writability if output is left. */
static void
watch(struct client *client, int operation)
{
	struct epoll_event event = { .events = EPOLLIN,
		.data = { .ptr = client } };

	if (client->output_left > 0)
		event.events |= EPOLLOUT;
	if (epoll_ctl(epoll_fd, operation, client->fd, &event) == -1)
		err(EX_OSERR, "epoll_ctl");
}

/* Begin one more if there is time; return whether it was begun. */
static bool
begin_one(void)
{
	if (begun >= options.most || now_ns() >= end_ns)
		return false;
	begun++;
	return true;
}

static void
count_one(int64_t begin_ns)
{
	int64_t now = now_ns();

	done++;
	if (now < counting_ns || now > end_ns)
		return;
	counted++;
	if (latency_count < LATENCIES_MAX)
		latencies_us[latency_count++] =
		    (uint32_t)((now - begin_ns) / 1000);
}

static void
client_connect(struct client *client)
{
	int on = 1;

	client->fd = -1;
	if (!begin_one())
		return;
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (client->fd == -1)
		err(EX_OSERR, "socket");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connections++;
	client->step = options.is_quit_only ? STEP_ECHO : STEP_GREETING;
	client->left = options.per_connection;
	client->is_shut_after = options.is_quit_only;
	client->begin_ns = now_ns();
	client->input_used = 0;
	client->output = QUIT;
	client->output_left = options.is_quit_only ? strlen(QUIT) : 0;
	if (connect(client->fd, (struct sockaddr *)&options.server,
		sizeof(options.server)) == -1 &&
	    errno != EINPROGRESS) {
		client_fail(client, strerror(errno));
		return;
	}
	watch(client, EPOLL_CTL_ADD);
}

/* Send the first commands of a message that begin_one() has counted. */
static void
begin_message(struct client *client)
{
	client->begin_ns = now_ns();
	client->step = STEP_MAIL;
	client_say_line(client,
	    options.is_pipelining ? ENVELOPE : ENVELOPE_MAIL);
}

/* Decide whether another message follows, and send the content of this one. */
static void
send_message(struct client *client)
{
	const struct blob *blob = &message;

	client->step = STEP_END;
	client->goes_on =
	    (client->left == 0 || --client->left > 0) && begin_one();
	if (options.is_pipelining)
		blob = client->goes_on ? &message_and_next : &message_and_quit;
	client_say(client, blob->data, blob->length);
}

static void
end_message(struct client *client)
{
	count_one(client->begin_ns);
	if (!client->goes_on) {
		client->step = STEP_BYE;
		if (!options.is_pipelining)
			client_say_line(client, QUIT);
	} else if (options.is_pipelining) {
		client->begin_ns = now_ns();
		client->step = STEP_MAIL;
	} else
		begin_message(client);
}

/* Handle the expected reply. */
static void
client_advance(struct client *client)
{
	switch (client->step) {
	case STEP_GREETING:
		client->step = STEP_EHLO;
		client_say_line(client, "EHLO client.example.com\r\n");
		break;
	case STEP_EHLO:
		begin_message(client);
		break;
	case STEP_MAIL:
		client->step = STEP_RCPT;
		if (!options.is_pipelining)
			client_say_line(client, ENVELOPE_RCPT);
		break;
	case STEP_RCPT:
		client->step = STEP_DATA;
		if (!options.is_pipelining)
			client_say_line(client, ENVELOPE_DATA);
		break;
	case STEP_DATA:
		send_message(client);
		break;
	case STEP_END:
		end_message(client);
		break;
	case STEP_BYE:
	case STEP_ECHO:
		break;
	}
}

static void
client_take_line(struct client *client, const char *line)
{
	if (client->step == STEP_ECHO)
		return;
	if (memcmp(line, codes[client->step], 3) != 0) {
		client_fail(client, line);
		return;
	}
	if (line[3] != '-')
		client_advance(client);
}

/* Handle complete lines of input, and keep an incomplete one. */
static void
client_take_input(struct client *client)
{
	char *line = client->input, *end;
	char *input_end = client->input + client->input_used;

	while (client->fd >= 0 &&
	    (end = memchr(line, '\n', (size_t)(input_end - line))) != NULL) {
		*end = '\0';
		if (client->step != STEP_ECHO && end - line < 4)
			client_fail(client, "a reply is too short");
		else
			client_take_line(client, line);
		line = end + 1;
	}
	client->input_used = (size_t)(input_end - line);
	memmove(client->input, line, client->input_used);
	if (client->input_used == INPUT_SIZE)
		client_fail(client, "a reply is too long");
}

static void
client_take_end(struct client *client)
{
	if (client->step == STEP_ECHO)
		count_one(client->begin_ns);
	else if (client->step != STEP_BYE)
		client_fail(client, "the server closed the connection");
	if (client->fd >= 0)
		close(client->fd);
	client_connect(client);
}

static void
client_read(struct client *client)
{
	ssize_t n = read(client->fd, client->input + client->input_used,
	    INPUT_SIZE - client->input_used);

	if (n == -1 && errno == EAGAIN)
		return;
	if (n == -1) {
		client_fail(client, strerror(errno));
		client_connect(client);
	} else if (n == 0)
		client_take_end(client);
	else {
		client->input_used += (size_t)n;
		client_take_input(client);
		if (client->fd < 0)
			client_connect(client);
	}
}

static void
handle_event(const struct epoll_event *event)
{
	struct client *client = event->data.ptr;

	if ((event->events & EPOLLOUT) != 0) {
		client_flush(client);
		if (client->fd >= 0 && client->output_left == 0)
			watch(client, EPOLL_CTL_MOD);
	}
	if (client->fd >= 0 && (event->events & ~(uint32_t)EPOLLOUT) != 0)
		client_read(client);
}

static bool
is_any_open(const struct client *clients)
{
	for (unsigned long i = 0; i < options.clients; i++)
		if (clients[i].fd >= 0)
			return true;
	return false;
}

static void
run(struct client *clients)
{
	struct epoll_event events[64];

	for (unsigned long i = 0; i < options.clients; i++)
		client_connect(&clients[i]);
	while (is_any_open(clients)) {
		int n = epoll_wait(epoll_fd, events, 64, 1000);

		if (n == -1 && errno != EINTR)
			err(EX_OSERR, "epoll_wait");
		for (int i = 0; i < n; i++)
			handle_event(&events[i]);
		if (now_ns() > end_ns + THROTTLE_NS)
			errx(EX_UNAVAILABLE, "the server does not answer");
	}
}

static int
compare(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static double
latency_ms(double part)
{
	if (latency_count == 0)
		return 0;
	return latencies_us[(size_t)((double)(latency_count - 1) * part)] /
	    1000.0;
}

static void
report(void)
{
	int64_t now = now_ns();
	double counted_sec =
	    (double)((now < end_ns ? now : end_ns) - counting_ns) / 1e9;

	if (latency_count > 0)
		qsort(latencies_us, latency_count, sizeof(*latencies_us),
		    compare);
	printf("{\"counted\": %lu, \"seconds\": %.6f, \"all\": %lu, "
	       "\"all_seconds\": %.6f, \"connections\": %lu, "
	       "\"failures\": %lu, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n",
	    counted, counted_sec, done, (double)(now - start_ns) / 1e9,
	    connections, failures, latency_ms(0.5), latency_ms(0.99));
}

static unsigned long
number(const char *text, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || value > most)
		errx(EX_USAGE, "not a number up to %lu: %s", most, text);
	return value;
}

static void
read_options(int argc, char *argv[])
{
	int option;

	while ((option = getopt(argc, argv, "c:k:s:w:t:n:pq")) != -1)
		switch (option) {
		case 'c':
			options.clients = number(optarg, CLIENTS_MAX);
			break;
		case 'k':
			options.per_connection = number(optarg, 1000000);
			break;
		case 's':
			options.size = number(optarg, 100 * 1024 * 1024);
			break;
		case 'w':
			options.warm_sec = strtod(optarg, NULL);
			break;
		case 't':
			options.sec = strtod(optarg, NULL);
			break;
		case 'n':
			options.most = number(optarg, options.most);
			break;
		case 'p':
			options.is_pipelining = true;
			break;
		case 'q':
			options.is_quit_only = true;
			break;
		default:
			errx(EX_USAGE, "see load.c");
		}
	if (optind + 1 != argc)
		errx(EX_USAGE, "see load.c");
	if (!(options.warm_sec >= 0 && options.warm_sec <= 3600 &&
		options.sec >= 0 && options.sec <= 3600))
		errx(EX_USAGE, "-w and -t: at most 3600 seconds");
	options.server.sin_family = AF_INET;
	options.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	options.server.sin_port = htons((uint16_t)number(argv[optind], 65535));
}

int
main(int argc, char *argv[])
{
	struct client *clients;

	read_options(argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	make_messages();
	clients = calloc(options.clients + 1, sizeof(*clients));
	latencies_us = calloc(LATENCIES_MAX, sizeof(*latencies_us));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (clients == NULL || latencies_us == NULL || epoll_fd == -1)
		err(EX_OSERR, "start");
	start_ns = now_ns();
	counting_ns = start_ns + (int64_t)(options.warm_sec * 1e9);
	end_ns = counting_ns + (int64_t)(options.sec * 1e9);
	run(clients);
	report();
	free(clients);
	free(latencies_us);
	free(message.data);
	free(message_and_next.data);
	free(message_and_quit.data);
	return failures > 0 ? EX_UNAVAILABLE : EX_OK;
}
