/* SPDX-License-Identifier: ISC */

#ifndef STREAM_H
#define STREAM_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A buffered connection to a peer. A deadline is a point in time of
 * clock_mono_ms() and holds for the whole operation, so that a peer cannot
 * delay us by sending octets slowly.
 *
 * Output is buffered. It is sent before a call waits for input, which gives
 * pipelining (RFC 2920), or by stream_flush().
 *
 * Functions that move octets return a negative errno on failure: -ETIMEDOUT,
 * -ECONNRESET at the end of input, or the error of the kernel or the transport.
 * The stream is unusable after an error, except that output is still possible
 * after -ETIMEDOUT of input, and input may be after output has failed:
 * stream_read_on().
 */
struct stream;

/* Carries a stream's octets in place of its descriptors. */
struct transport {
	/* Returns how many octets, at least one, or a negative errno. */
	ssize_t (*receive)(void *context, void *buffer, size_t size_bytes,
	    int64_t deadline_mono_ms);
	/* Sends all octets. Returns 0 or a negative errno. */
	int (*send)(void *context, const void *data, size_t size_bytes,
	    int64_t deadline_mono_ms);
	/* Notify the peer if the protocol has that, and free the context. */
	void (*close)(void *context);
};

/*
 * Open a stream on two descriptors, which may be the same. The caller keeps
 * them and closes them after stream_free().
 *
 * send_timeout_ms	for each time that the buffer is sent.
 *
 * Returns 0 or -ENOMEM.
 */
int stream_open(int in_fd, int out_fd, int send_timeout_ms,
    struct stream **ret_stream);
void stream_free(struct stream *stream);

/*
 * Use a transport for the stream from now on; it is closed with the stream.
 * Discards buffered input (RFC 3207 section 4.2). Output must have been
 * flushed.
 */
void stream_start_transport(struct stream *stream,
    const struct transport *transport, void *context);

/* Receive and send by the descriptors, for use by a transport. */
ssize_t stream_receive_plain(struct stream *stream, void *buffer,
    size_t size_bytes, int64_t deadline_mono_ms);
int stream_send_plain(struct stream *stream, const void *data,
    size_t size_bytes, int64_t deadline_mono_ms);

/* From now on, if output fails, keep the input that has come: the peer may have
 * said why it hung up. stream_can_send(): whether output has not failed. */
void stream_read_on(struct stream *stream);
bool stream_can_send(const struct stream *stream);

/* Whether input is in the buffer. */
bool stream_has_input(const struct stream *stream);

/*
 * Read one line, which ends in CRLF (RFC 5321 section 2.3.8).
 *
 * line		size bytes: the octets without their CRLF, and a NUL. The
 *		line may hold other NULs; its length is what is returned.
 *
 * Returns the length, or a negative errno. Two errors leave the stream usable,
 * with the line read to its end: -EMSGSIZE too long, -EBADMSG a bare CR in it,
 * or a bare LF, which ends it.
 */
ssize_t stream_get_line(struct stream *stream, char *line, size_t size,
    int64_t deadline_mono_ms);

/*
 * The same, but the line may also end in LF alone, or in several CRs and LF.
 *
 * ret_is_crlf	whether it ended in CRLF; set on success only.
 */
ssize_t stream_get_any_line(struct stream *stream, char *line, size_t size,
    int64_t deadline_mono_ms, bool *ret_is_crlf);

/*
 * Show the octets in the input buffer, after waiting for one if it is empty.
 * They are valid until the next call.
 *
 * Returns how many, or a negative errno.
 */
ssize_t stream_peek(struct stream *stream, const char **ret_data,
    int64_t deadline_mono_ms);
/* Remove the first of those octets. */
void stream_consume(struct stream *stream, size_t size_bytes);

/* Append octets or a formatted text to the output buffer; send it when it is
 * full. Return 0 or a negative errno. */
int stream_put(struct stream *stream, const void *data, size_t size_bytes);
int stream_printf(struct stream *stream, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int stream_flush(struct stream *stream);

#endif
