/* SPDX-License-Identifier: ISC */

#ifndef STREAM_H
#define STREAM_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A buffered connection to a peer. Deadlines are points in time on
 * clock_mono_ms()'s clock and hold for the whole of what is waited for, so
 * that a peer cannot hold us by dripping octets.
 *
 * Output is buffered and is sent when input runs dry, before we wait for more
 * (that gives RFC 2920 pipelining), or by stream_flush().
 *
 * Every function that moves octets returns a negative errno on trouble:
 * -ETIMEDOUT, -ECONNRESET for the end of input, or what the kernel or the
 * transport said. After such an error the stream is of no more use; but after
 * -ETIMEDOUT of input there may still be output.
 */
struct stream;

/* What carries a stream's octets when it is not its descriptors themselves. */
struct transport {
	/* At least one octet, or a negative errno. */
	ssize_t (*receive)(void *context, void *buffer, size_t size_bytes,
	    int64_t deadline_mono_ms);
	/* All octets, or a negative errno. */
	int (*send)(void *context, const void *data, size_t size_bytes,
	    int64_t deadline_mono_ms);
	/* Say goodbye to the peer where that is customary, free the context. */
	void (*close)(void *context);
};

/*
 * Open a stream on two descriptors, which may be the same. The caller keeps
 * them and closes them after stream_free().
 *
 * send_timeout_ms	for all that is sent at once.
 *
 * Returns 0 or -ENOMEM.
 */
int stream_open(int in_fd, int out_fd, int send_timeout_ms,
    struct stream **ret_stream);
void stream_free(struct stream *stream);

/*
 * Put a transport under the stream from here on; it is closed with the stream.
 * Input that is already buffered is thrown away (RFC 3207 section 4.2), what
 * is to be sent must have been flushed.
 */
void stream_start_transport(struct stream *stream,
    const struct transport *transport, void *context);

/* The descriptors themselves, for a transport to stand on. */
ssize_t stream_receive_plain(struct stream *stream, void *buffer,
    size_t size_bytes, int64_t deadline_mono_ms);
int stream_send_plain(struct stream *stream, const void *data,
    size_t size_bytes, int64_t deadline_mono_ms);

/* Whether there is input that was received and not yet taken. */
bool stream_has_input(const struct stream *stream);

/*
 * Read one line, which ends in CRLF (RFC 5321 section 2.3.8).
 *
 * line		size bytes: the octets without their CRLF, and a NUL. The
 *		line may hold other NULs; its length is what is returned.
 *
 * Returns the length, or a negative errno; these two leave the stream usable,
 * the line being read to its end: -EMSGSIZE too long, -EBADMSG a bare CR in
 * it, or a bare LF, which ends it.
 */
ssize_t stream_get_line(struct stream *stream, char *line, size_t size,
    int64_t deadline_mono_ms);

/*
 * See the octets that have come and have not been taken, waiting for one if
 * there is none. They stay the stream's, and valid until the next call.
 *
 * Returns how many, or a negative errno.
 */
ssize_t stream_peek(struct stream *stream, const char **ret_data,
    int64_t deadline_mono_ms);
/* Take the first octets of those. */
void stream_consume(struct stream *stream, size_t size_bytes);

/* Buffer octets to send, or a formatted text; sends when the buffer is full.
 * Return 0 or a negative errno. */
int stream_put(struct stream *stream, const void *data, size_t size_bytes);
int stream_printf(struct stream *stream, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int stream_flush(struct stream *stream);

#endif
