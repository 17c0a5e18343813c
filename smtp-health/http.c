/* SPDX-License-Identifier: ISC */

/*
 * http.c - serve pages over HTTP, on one thread.
 *
 * The only file that knows libmicrohttpd, which does the protocol and is used
 * without threads: the loop is ours. A connection serves one request and has
 * one deadline for all of it, so that a peer cannot hold us by dripping octets.
 */

#include "config.h"

#include <sys/select.h>
#include <sys/socket.h>

#include <linux/tcp.h>

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <microhttpd.h>

#include "lib/clock.h"
#include "smtp-health/http.h"
#include "smtp-health/target.h"

#define CONNECTIONS_MAX 64
#define FIELDS_SIZE_MAX 16384 /* of a request */
/* MHD needs up to 34 times the size of cookies, answers twice if they do not
 * fit, and takes the memory as it is used. The unit's MemoryMax= has room for
 * that of all connections. */
#define CONNECTION_MEMORY (40 * FIELDS_SIZE_MAX)
#define ACCEPT_SIZE FIELDS_SIZE_MAX
#define CONNECTION_TIMEOUT_MS (10 * 1000)
#define FINISH_TIMEOUT_MS (2 * 1000)

#define NO_DEADLINE INT64_MAX

struct connection {
	bool is_open;
	bool is_shut; /* MHD will close it */
	int fd; /* MHD's */
	int64_t deadline_mono_ms;
};

struct server {
	const struct http_site *site;
	int listen_fd;
	struct MHD_Daemon *daemon;
	struct connection connections[CONNECTIONS_MAX];
	size_t connection_count;
	int64_t idle_since_mono_ms; /* when the last connection was closed */
	sigset_t wait_mask; /* signals arrive only while we wait */
};

static volatile sig_atomic_t is_told_to_stop;

static void
note_signal(int signal_number)
{
	(void)signal_number;
	is_told_to_stop = 1;
}

/* SIGTERM and SIGINT are blocked except during the wait: none is lost between
 * the check of is_told_to_stop and the wait. */
static void
catch_signals(struct server *server)
{
	struct sigaction stop = { .sa_handler = note_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &server->wait_mask);
	sigdelset(&server->wait_mask, SIGTERM);
	sigdelset(&server->wait_mask, SIGINT);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* ---- requests ---- */

static const struct http_page *
find_page(const struct http_page *pages, const char *path)
{
	for (; pages->path != NULL; pages++)
		if (strcmp(pages->path, path) == 0)
			return pages;
	return NULL;
}

/* The fields of a request, as far as they are of interest. */
struct request_fields {
	size_t size_bytes;
	const char *host;
	unsigned host_count;
	char accept[ACCEPT_SIZE]; /* several are one list (RFC 9110 5.3) */
};

/* An MHD_KeyValueIterator. */
static enum MHD_Result
note_field(void *cls, enum MHD_ValueKind kind, const char *name,
    const char *value)
{
	struct request_fields *fields = cls;

	(void)kind;
	if (value == NULL)
		value = "";
	fields->size_bytes += strlen(name) + strlen(value) + strlen(": \r\n");
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0) {
		fields->host = value;
		fields->host_count++;
	} else if (strcasecmp(name, MHD_HTTP_HEADER_ACCEPT) == 0) {
		if (*fields->accept != '\0')
			(void)strlcat(fields->accept, ",", ACCEPT_SIZE);
		(void)strlcat(fields->accept, value, ACCEPT_SIZE);
	}
	return MHD_YES;
}

/* Whom a request is for. A browser that was led here by the DNS of a stranger's
 * page says the page's host. Returns 0, or the status of a refusal. */
static unsigned
check_host(const struct server *server, const struct request_fields *fields,
    const char *authority, const char *version, FILE *out)
{
	bool is_needed = strcmp(version, MHD_HTTP_VERSION_1_0) != 0;

	if (fields->host_count > 1 || (fields->host_count == 0 && is_needed)) {
		(void)fputs("Bad Request: expected one Host field\n", out);
		return MHD_HTTP_BAD_REQUEST;
	}
	if (*authority == '\0' && fields->host_count == 0)
		return 0;
	if (target_is_ours(*authority != '\0' ? authority : fields->host,
		server->site->names))
		return 0;
	(void)fputs("Misdirected Request: expected an IP address, localhost or "
		    "SMTP_HOSTNAME as the host\n",
	    out);
	return MHD_HTTP_MISDIRECTED_REQUEST;
}

static unsigned
write_page(const struct server *server, const char *path, const char *method,
    const char *accept, FILE *out, const char **ret_type)
{
	const struct http_page *page = find_page(server->site->pages, path);

	if (page == NULL) {
		(void)fputs("Not Found\n", out);
		return MHD_HTTP_NOT_FOUND;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		(void)fputs("Method Not Allowed\n", out);
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	return page->write(server->site->context, accept, out, ret_type);
}

/* Write the response to a request. Returns the status. */
static unsigned
write_answer(const struct server *server, struct MHD_Connection *connection,
    const char *target, const char *method, const char *version, FILE *out,
    const char **ret_type)
{
	struct request_fields fields = { .size_bytes = strlen(target) };
	char authority[TARGET_AUTHORITY_SIZE];
	const char *path = target_split(target, authority);
	unsigned status;

	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, note_field,
	    &fields);
	if (fields.size_bytes > FIELDS_SIZE_MAX) {
		(void)fputs("Request Header Fields Too Large\n", out);
		return MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
	}
	status = check_host(server, &fields, authority, version, out);
	if (status != 0)
		return status;
	return write_page(server, path, method, fields.accept, out, ret_type);
}

static enum MHD_Result
queue_response(struct MHD_Connection *connection, unsigned status,
    const char *type, struct MHD_Response *response)
{
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
		type) != MHD_YES ||
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
		"no-store") != MHD_YES ||
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION,
		"close") != MHD_YES ||
	    (status == MHD_HTTP_METHOD_NOT_ALLOWED &&
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
		    "GET, HEAD") != MHD_YES))
		return MHD_NO;
	return MHD_queue_response(connection, status, response);
}

/*
 * An MHD_AccessHandlerCallback: respond to a request as soon as its fields have
 * come; its body is ignored. MHD omits the body of a response to HEAD.
 *
 * MHD_NO closes the connection.
 */
static enum MHD_Result
answer_request(void *cls, struct MHD_Connection *connection, const char *target,
    const char *method, const char *version, const char *body,
    size_t *body_size, void **request_context)
{
	const char *type = HTTP_PLAIN;
	char *text = NULL;
	size_t length = 0;
	struct MHD_Response *response;
	enum MHD_Result result;
	unsigned status;
	FILE *out = open_memstream(&text, &length);

	(void)body;
	(void)body_size;
	(void)request_context;
	if (out == NULL)
		return MHD_NO;
	status =
	    write_answer(cls, connection, target, method, version, out, &type);
	if (fclose(out) == EOF) {
		free(text);
		return MHD_NO;
	}
	response = MHD_create_response_from_buffer(length, text,
	    MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		free(text);
		return MHD_NO;
	}
	result = queue_response(connection, status, type, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- connections ---- */

static struct connection *
open_connection(struct server *server, int fd)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connections[i];

		if (connection->is_open)
			continue;
		connection->is_open = true;
		connection->is_shut = false;
		connection->fd = fd;
		connection->deadline_mono_ms =
		    clock_mono_ms() + CONNECTION_TIMEOUT_MS;
		server->connection_count++;
		return connection;
	}
	return NULL;
}

/* An MHD_NotifyConnectionCallback. MHD enforces CONNECTIONS_MAX. */
static void
note_connection(void *cls, struct MHD_Connection *mhd_connection,
    void **connection_context, enum MHD_ConnectionNotificationCode code)
{
	struct server *server = cls;
	struct connection *connection = *connection_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		    mhd_connection, MHD_CONNECTION_INFO_CONNECTION_FD);

		connection = open_connection(server, info->connect_fd);
		assert(connection != NULL);
		*connection_context = connection;
		return;
	}
	connection->is_open = false;
	server->connection_count--;
	server->idle_since_mono_ms = clock_mono_ms();
}

/* MHD then finds its end and closes it. */
static void
shut(struct connection *connection)
{
	(void)shutdown(connection->fd, SHUT_RDWR);
	connection->is_shut = true;
	connection->deadline_mono_ms = NO_DEADLINE;
}

/* How many octets the client has sent; 0 if the kernel does not count them. */
static uint64_t
count_received(const struct connection *connection)
{
	struct tcp_info info = { .tcpi_bytes_received = 0 };
	socklen_t length = sizeof(info);

	if (getsockopt(connection->fd, IPPROTO_TCP, TCP_INFO, &info, &length) ==
	    -1)
		return 0;
	return info.tcpi_bytes_received;
}

/*
 * Make room for a client that waits: shut the connection whose client has said
 * least, of several the oldest. One that has just said something is served
 * first, and one at a time is enough.
 *
 * readable	the descriptors that MHD will read from now.
 */
static void
make_room(struct server *server, const fd_set *readable)
{
	struct connection *least = NULL;
	uint64_t least_bytes = UINT64_MAX;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connections[i];
		uint64_t bytes;

		if (connection->is_shut)
			return;
		if (FD_ISSET(connection->fd, readable))
			continue;
		bytes = count_received(connection);
		if (least == NULL || bytes < least_bytes ||
		    (bytes == least_bytes &&
			connection->deadline_mono_ms <
			    least->deadline_mono_ms)) {
			least = connection;
			least_bytes = bytes;
		}
	}
	if (least != NULL)
		shut(least);
}

/* Shut connections that are past their deadlines. Returns the earliest deadline
 * of the others. */
static int64_t
shut_late_connections(struct server *server, int64_t now_mono_ms)
{
	int64_t earliest_mono_ms = NO_DEADLINE;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connections[i];

		if (!connection->is_open)
			continue;
		if (connection->deadline_mono_ms <= now_mono_ms)
			shut(connection);
		if (connection->deadline_mono_ms < earliest_mono_ms)
			earliest_mono_ms = connection->deadline_mono_ms;
	}
	return earliest_mono_ms;
}

/* ---- the loop ---- */

/* Wait for work, until the deadline at the longest, and do it. */
static int
run_until(struct server *server, int64_t now_mono_ms, int64_t deadline_mono_ms)
{
	fd_set read_set, write_set, except_set;
	int64_t wait_ms =
	    deadline_mono_ms > now_mono_ms ? deadline_mono_ms - now_mono_ms : 0;
	MHD_UNSIGNED_LONG_LONG mhd_wait_ms;
	struct timespec wait;
	int max_fd = -1;

	FD_ZERO(&read_set);
	FD_ZERO(&write_set);
	FD_ZERO(&except_set);
	if (MHD_get_fdset(server->daemon, &read_set, &write_set, &except_set,
		&max_fd) != MHD_YES)
		return -EMFILE;
	if (MHD_get_timeout(server->daemon, &mhd_wait_ms) == MHD_YES &&
	    mhd_wait_ms < (uint64_t)wait_ms)
		wait_ms = (int64_t)mhd_wait_ms;
	wait.tv_sec = wait_ms / 1000;
	wait.tv_nsec = wait_ms % 1000 * 1000000;

	if (pselect(max_fd + 1, &read_set, &write_set, &except_set, &wait,
		&server->wait_mask) == -1)
		return errno == EINTR ? 0 : -errno;
	if (FD_ISSET(server->listen_fd, &read_set) &&
	    server->site->check_outdated(server->site->context)) {
		is_told_to_stop = 1;
		FD_CLR(server->listen_fd, &read_set);
	}
	if (FD_ISSET(server->listen_fd, &read_set) &&
	    server->connection_count == CONNECTIONS_MAX) {
		make_room(server, &read_set);
		/* MHD would accept it and close it. */
		FD_CLR(server->listen_fd, &read_set);
	}
	if (MHD_run_from_select(server->daemon, &read_set, &write_set,
		&except_set) != MHD_YES)
		return -EIO;
	return 0;
}

/* Serve until told to stop, or idle. */
static int
serve(struct server *server, int64_t idle_ms)
{
	int r = 0;

	while (!is_told_to_stop && r == 0) {
		int64_t now_mono_ms = clock_mono_ms();
		int64_t deadline_mono_ms =
		    shut_late_connections(server, now_mono_ms);

		if (server->connection_count == 0 && idle_ms >= 0) {
			deadline_mono_ms = server->idle_since_mono_ms + idle_ms;
			if (deadline_mono_ms <= now_mono_ms)
				break;
		}
		r = run_until(server, now_mono_ms, deadline_mono_ms);
	}
	return r;
}

/* Serve connected clients, not for long: the next process may be waiting. */
static int
finish(struct server *server)
{
	int64_t now_mono_ms = clock_mono_ms(),
		end_mono_ms = now_mono_ms + FINISH_TIMEOUT_MS;
	int r = 0;

	while (server->connection_count > 0 && now_mono_ms < end_mono_ms &&
	    r == 0) {
		r = run_until(server, now_mono_ms, end_mono_ms);
		now_mono_ms = clock_mono_ms();
	}
	return r;
}

int
http_serve(int listen_fd, const struct http_site *site, int64_t idle_ms)
{
	struct server server = {
		.site = site,
		.listen_fd = listen_fd,
		.idle_since_mono_ms = clock_mono_ms(),
	};
	int r;

	catch_signals(&server);
	server.daemon = MHD_start_daemon(MHD_NO_FLAG, 0, NULL, NULL,
	    answer_request, &server, MHD_OPTION_LISTEN_SOCKET, listen_fd,
	    MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_NOTIFY_CONNECTION, note_connection, &server,
	    MHD_OPTION_END);
	if (server.daemon == NULL)
		return -ENOMEM;
	r = serve(&server, idle_ms);
	/* The socket is shared: MHD would close it otherwise. */
	(void)MHD_quiesce_daemon(server.daemon);
	if (r == 0)
		r = finish(&server);
	MHD_stop_daemon(server.daemon);
	return r;
}
