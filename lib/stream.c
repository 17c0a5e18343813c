/* SPDX-License-Identifier: ISC */

/*
 * stream.c - buffered input and output with deadlines.
 *
 * Knows neither the protocol above it nor TLS: a transport may be put between
 * the buffers and the descriptors.
 */

#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/stream.h"

#define IN_SIZE 65536
#define OUT_SIZE 65536
#define PATIENCE_MS 1000
#define LAST_WORDS_MS 1000 /* for input after output has failed */
#define PIPE_CHUNK 512 /* POLLOUT promises at least this much room in a pipe */

struct stream {
	int in_fd, out_fd;
	bool is_socket;
	bool is_patient; /* read(2) waits, for at most PATIENCE_MS */
	int send_timeout_ms;
	const struct transport *transport; /* NULL: use the descriptors */
	void *context;
	int out_error; /* of the first time that sending failed */
	bool is_read_on; /* stream_read_on() */
	size_t in_start, in_end, out_used;
	char in[IN_SIZE];
	char out[OUT_SIZE];
};

/* Let read(2) wait by itself, which saves a poll(2) for most lines; poll(2) is
 * used for longer waits, because it has the deadline. */
static bool
be_patient(int fd)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	int flags = fcntl(fd, F_GETFL);

	return flags != -1 && (flags & O_NONBLOCK) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
		sizeof(patience)) == 0;
}

/* Disable Nagle's algorithm: what is sent is complete. */
static void
send_at_once(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int
stream_open(int in_fd, int out_fd, int send_timeout_ms,
    struct stream **ret_stream)
{
	/* Not cleared: unused pages of the buffers take no memory. */
	struct stream *stream = malloc(sizeof(*stream));
	int type;
	socklen_t length = sizeof(type);

	if (stream == NULL)
		return -ENOMEM;
	stream->in_fd = in_fd;
	stream->out_fd = out_fd;
	stream->is_socket =
	    getsockopt(out_fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0;
	if (stream->is_socket)
		send_at_once(out_fd);
	stream->is_patient = be_patient(in_fd);
	stream->send_timeout_ms = send_timeout_ms;
	stream->transport = NULL;
	stream->context = NULL;
	stream->out_error = 0;
	stream->is_read_on = false;
	stream->in_start = stream->in_end = stream->out_used = 0;
	*ret_stream = stream;
	return 0;
}

void
stream_free(struct stream *stream)
{
	if (stream == NULL)
		return;
	if (stream->transport != NULL)
		stream->transport->close(stream->context);
	free(stream);
}

void
stream_start_transport(struct stream *stream, const struct transport *transport,
    void *context)
{
	stream->in_start = stream->in_end = 0;
	stream->transport = transport;
	stream->context = context;
}

static int
wait_for(int fd, short events, int64_t deadline_mono_ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	for (;;) {
		int64_t left_ms = deadline_mono_ms - clock_mono_ms();
		int n;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (left_ms > 1000000000)
			left_ms = 1000000000;
		n = poll(&pfd, 1, (int)left_ms);
		if (n > 0)
			return 0;
		if (n == -1 && errno != EINTR)
			return -errno;
	}
}

static bool
is_try_again(int error)
{
	return error == EINTR || error == EAGAIN || error == EWOULDBLOCK;
}

ssize_t
stream_receive_plain(struct stream *stream, void *buffer, size_t size_bytes,
    int64_t deadline_mono_ms)
{
	bool is_to_wait = !stream->is_patient ||
	    deadline_mono_ms - clock_mono_ms() < PATIENCE_MS;
	ssize_t n;
	int r;

	do {
		if (is_to_wait &&
		    (r = wait_for(stream->in_fd, POLLIN, deadline_mono_ms)) < 0)
			return r;
		n = read(stream->in_fd, buffer, size_bytes);
		is_to_wait = true;
	} while (n == -1 && is_try_again(errno));
	if (n == 0)
		return -ECONNRESET;
	return n > 0 ? n : -errno;
}

/* Send as much as can be sent without blocking. */
static ssize_t
send_some(struct stream *stream, const char *data, size_t size_bytes)
{
	if (stream->is_socket)
		return send(stream->out_fd, data, size_bytes,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(stream->out_fd, data,
	    size_bytes < PIPE_CHUNK ? size_bytes : PIPE_CHUNK);
}

int
stream_send_plain(struct stream *stream, const void *data, size_t size_bytes,
    int64_t deadline_mono_ms)
{
	const char *p = data;

	while (size_bytes > 0) {
		int r;
		ssize_t n = 0;

		/* Try a socket first: it rarely has to wait. */
		if (stream->is_socket)
			n = send_some(stream, p, size_bytes);
		if (n <= 0) {
			if (n == -1 && !is_try_again(errno))
				return -errno;
			r = wait_for(stream->out_fd, POLLOUT, deadline_mono_ms);
			if (r < 0)
				return r;
			n = send_some(stream, p, size_bytes);
			if (n == -1 && !is_try_again(errno))
				return -errno;
		}
		if (n > 0) {
			p += n;
			size_bytes -= (size_t)n;
		}
	}
	return 0;
}

static ssize_t
receive(struct stream *stream, void *buffer, size_t size_bytes,
    int64_t deadline_mono_ms)
{
	if (stream->transport != NULL)
		return stream->transport->receive(stream->context, buffer,
		    size_bytes, deadline_mono_ms);
	return stream_receive_plain(stream, buffer, size_bytes,
	    deadline_mono_ms);
}

static int
send_all(struct stream *stream, const void *data, size_t size_bytes)
{
	int64_t deadline_mono_ms = clock_mono_ms() + stream->send_timeout_ms;

	if (stream->transport != NULL)
		return stream->transport->send(stream->context, data,
		    size_bytes, deadline_mono_ms);
	return stream_send_plain(stream, data, size_bytes, deadline_mono_ms);
}

void
stream_read_on(struct stream *stream)
{
	stream->is_read_on = true;
}

bool
stream_can_send(const struct stream *stream)
{
	return stream->out_error == 0;
}

bool
stream_has_input(const struct stream *stream)
{
	return stream->in_end > stream->in_start;
}

/* Append input to the buffer, which must not be full. */
static int
fill(struct stream *stream, int64_t deadline_mono_ms)
{
	int64_t last_words_mono_ms = clock_mono_ms() + LAST_WORDS_MS;
	ssize_t n;
	int r = stream_flush(stream);

	if (r < 0 && !stream->is_read_on)
		return r;
	if (r < 0 && deadline_mono_ms > last_words_mono_ms)
		deadline_mono_ms = last_words_mono_ms;
	if (stream->in_start == stream->in_end)
		stream->in_start = stream->in_end = 0;
	n = receive(stream, stream->in + stream->in_end,
	    IN_SIZE - stream->in_end, deadline_mono_ms);
	if (n < 0)
		return r < 0 ? r : (int)n;
	stream->in_end += (size_t)n;
	return 0;
}

/* Return the next octet, or a negative errno. */
static int
get_octet(struct stream *stream, int64_t deadline_mono_ms)
{
	int r;

	if (!stream_has_input(stream) &&
	    (r = fill(stream, deadline_mono_ms)) < 0)
		return r;
	return (unsigned char)stream->in[stream->in_start++];
}

/* A line up to its LF. */
struct raw_line {
	size_t length; /* without the CRs that precede the LF */
	size_t crs; /* how many those are */
	bool has_bare_cr; /* before other octets */
};

/* Read up to LF. The first size octets are put into line. */
static int
read_to_lf(struct stream *stream, char *line, size_t size,
    int64_t deadline_mono_ms, struct raw_line *raw)
{
	size_t count = 0;

	*raw = (struct raw_line){ .length = 0 };
	for (;;) {
		int c = get_octet(stream, deadline_mono_ms);

		if (c < 0)
			return c;
		if (c == '\n')
			break;
		if (c == '\r')
			raw->crs++;
		else {
			raw->has_bare_cr |= raw->crs > 0;
			raw->crs = 0;
		}
		if (count < size)
			line[count] = (char)c;
		count++;
	}
	raw->length = count - raw->crs;
	return 0;
}

static ssize_t
end_line(char *line, size_t size, const struct raw_line *raw)
{
	if (raw->length >= size)
		return -EMSGSIZE;
	line[raw->length] = '\0';
	return (ssize_t)raw->length;
}

ssize_t
stream_get_line(struct stream *stream, char *line, size_t size,
    int64_t deadline_mono_ms)
{
	struct raw_line raw;
	int r = read_to_lf(stream, line, size, deadline_mono_ms, &raw);

	if (r < 0)
		return r;
	if (raw.has_bare_cr || raw.crs != 1)
		return -EBADMSG;
	return end_line(line, size, &raw);
}

ssize_t
stream_get_any_line(struct stream *stream, char *line, size_t size,
    int64_t deadline_mono_ms, bool *ret_is_crlf)
{
	struct raw_line raw;
	int r = read_to_lf(stream, line, size, deadline_mono_ms, &raw);
	ssize_t n;

	if (r < 0)
		return r;
	if (raw.has_bare_cr)
		return -EBADMSG;
	n = end_line(line, size, &raw);
	if (n >= 0)
		*ret_is_crlf = raw.crs == 1;
	return n;
}

ssize_t
stream_peek(struct stream *stream, const char **ret_data,
    int64_t deadline_mono_ms)
{
	int r;

	if (!stream_has_input(stream) &&
	    (r = fill(stream, deadline_mono_ms)) < 0)
		return r;
	*ret_data = stream->in + stream->in_start;
	return (ssize_t)(stream->in_end - stream->in_start);
}

void
stream_consume(struct stream *stream, size_t size_bytes)
{
	stream->in_start += size_bytes;
}

int
stream_put(struct stream *stream, const void *data, size_t size_bytes)
{
	const char *p = data;
	int r;

	if (!stream_can_send(stream))
		return stream->out_error;
	while (size_bytes > 0) {
		size_t n = OUT_SIZE - stream->out_used;

		if (n > size_bytes)
			n = size_bytes;
		memcpy(stream->out + stream->out_used, p, n);
		stream->out_used += n;
		p += n;
		size_bytes -= n;
		if (stream->out_used == OUT_SIZE &&
		    (r = stream_flush(stream)) < 0)
			return r;
	}
	return 0;
}

int
stream_printf(struct stream *stream, const char *format, ...)
{
	char text[2048];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(text))
		return -EMSGSIZE;
	return stream_put(stream, text, (size_t)length);
}

int
stream_flush(struct stream *stream)
{
	size_t used = stream->out_used;

	if (used == 0 || !stream_can_send(stream))
		return stream->out_error;
	stream->out_used = 0;
	stream->out_error = send_all(stream, stream->out, used);
	return stream->out_error;
}
