/* SPDX-License-Identifier: ISC */

#ifndef PEER_OF_FUZZ_H
#define PEER_OF_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "lib/stream.h"

/* The input octet at which the peer pauses: it sends what follows only after
 * everything before it was read. As the last octet it means that the peer falls
 * silent; otherwise the peer half-closes the connection after its last
 * octet. */
#define PEER_PAUSE 0xff

/*
 * The other end of a socket, controlled by the fuzz input. The peer acts when
 * the program waits, in the same process and thread. Time advances only when
 * the program waits for a peer that does nothing: then the whole wait is over
 * at once. (Targets that use this module are linked with --wrap for poll(),
 * read() and clock_mono_ms().)
 */

/* Start the peer at this end of a connection, which peer_end() closes. The data
 * must stay valid until then. */
void peer_start(int fd, const uint8_t *data, size_t size);

/* Make a connection with such a peer. Returns the program's end, which the
 * caller closes. */
int peer_connect(const uint8_t *data, size_t size);

/* Hang up. Returns everything that was sent to the peer, with a NUL after it;
 * valid until the next peer_start(). */
const char *peer_end(size_t *ret_length);

/* A transport to use in place of TLS: it changes nothing. Its context is the
 * stream. */
extern const struct transport peer_transport;

/* For targets that wrap another way to wait: let the peer act; advance the
 * clock. */
void peer_move(void);
void peer_pass_time(int64_t ms);

#endif
