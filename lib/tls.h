/* SPDX-License-Identifier: ISC */

#ifndef TLS_H
#define TLS_H

#include <stdint.h>

#include "lib/stream.h"

#define TLS_TEXT_SIZE 256

/* How a handshake went. */
struct tls_result {
	char protocol[32]; /* "TLS1.3" */
	char cipher[96]; /* "TLS_AES_256_GCM_SHA384" */
	char error[TLS_TEXT_SIZE]; /* why it failed, in words */
};

/*
 * A certificate chain with its key, from PEM files that are read now.
 *
 * Returns 0, or -ENOKEY with ret_result->error set if they cannot be used.
 */
struct tls_identity;

int tls_identity_load(const char *cert_file, const char *key_file,
    struct tls_identity **ret_identity, struct tls_result *ret_result);
void tls_identity_free(struct tls_identity *identity);

/*
 * Start TLS 1.2 or better on a stream whose output has been flushed. Input
 * that came before the handshake is thrown away (RFC 3207 section 4.2).
 *
 * tls_accept	as a server. The identity belongs to the stream from here on,
 *		also on error.
 * tls_connect	as a client; the peer's certificate must verify for the host
 *		name, or the IP address, against the trust anchors in ca_file,
 *		or the system's if that is NULL (promise P5).
 *
 * Return 0, or a negative errno with ret_result->error set: -ETIMEDOUT,
 * -ENOKEY if there are no trust anchors, -EKEYREJECTED if the certificate does
 * not verify, -ECONNRESET or -EPROTO.
 */
int tls_accept(struct stream *stream, struct tls_identity *identity,
    int64_t deadline_ms, struct tls_result *ret_result);
int tls_connect(struct stream *stream, const char *host, const char *ca_file,
    int64_t deadline_ms, struct tls_result *ret_result);

/* The server's side of it, as a module exports it to lib/tlsmodule.c. */
struct tls_functions {
	const char *version; /* the package's: the two must be of one build */
	int (*identity_load)(const char *cert_file, const char *key_file,
	    struct tls_identity **ret_identity, struct tls_result *ret_result);
	void (*identity_free)(struct tls_identity *identity);
	int (*accept)(struct stream *stream, struct tls_identity *identity,
	    int64_t deadline_ms, struct tls_result *ret_result);
};

extern const struct tls_functions tls_functions;

#endif
