/* SPDX-License-Identifier: ISC */

#ifndef PEER_OF_FUZZ_H
#define PEER_OF_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "lib/stream.h"

/* An octet of the input at which the peer pauses: what follows it comes only
 * when everything before it was read. At the very end it means that the peer
 * falls silent; else it half-closes there. */
#define PEER_PAUSE 0xff

/*
 * The other end of a socket, whose every move is in the input. It moves when
 * the program waits, in the same process and thread. Time does not pass but
 * when the program waits for a peer that does nothing: then all of the wait is
 * over at once. (Targets that use it are linked with --wrap for poll(), read()
 * and clock_mono_ms().)
 */

/* Be the peer at this end of a connection, which is closed at the end. The
 * data stays the caller's. */
void peer_start(int fd, const uint8_t *data, size_t size);

/* Make a connection with such a peer. Returns the program's end, which is the
 * caller's. */
int peer_connect(const uint8_t *data, size_t size);

/* Hang up. Returns all that was sent to the peer, with a NUL after it, valid
 * until the next peer_start(). */
const char *peer_end(size_t *ret_length);

/* In place of TLS: a transport that changes nothing; its context is the stream.
 */
extern const struct transport peer_transport;

/* For a target that wraps another way to wait: make a move; let time pass. */
void peer_move(void);
void peer_pass_time(int64_t ms);

#endif
