/* SPDX-License-Identifier: ISC */

#ifndef TLS_H
#define TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/stream.h"

#define TLS_TEXT_SIZE 256
#define TLS_FINGERPRINT_SIZE 65 /* SHA-256, as hexadecimal digits */

/* How a handshake went. */
struct tls_result {
	char protocol[32]; /* "TLS1.3" */
	char cipher[96]; /* "TLS_AES_256_GCM_SHA384" */
	/* Of the certificate that the server has shown, even if it was no good,
	 * or "": SHA-256 of its DER. tls_connect() only. */
	char fingerprint[TLS_FINGERPRINT_SIZE];
	char error[TLS_TEXT_SIZE]; /* why it failed, in words */
	bool is_resumed; /* a session that had verified goes on */
};

/* A TLSA record (RFC 6698 section 2.1, names of RFC 7218). */
#define TLSA_USAGE_DANE_TA 2
#define TLSA_USAGE_DANE_EE 3
#define TLSA_SELECTOR_CERTIFICATE 0
#define TLSA_SELECTOR_KEY 1
#define TLSA_MATCHING_FULL 0
#define TLSA_MATCHING_SHA256 1
#define TLSA_MATCHING_SHA512 2
#define TLSA_DATA_MAX 4096
struct tls_tlsa {
	unsigned usage;
	unsigned selector;
	unsigned matching;
	size_t size_bytes;
	unsigned char data[TLSA_DATA_MAX];
};

/* What is asked of a server's certificate. */
enum tls_check {
	TLS_CHECK_NAME, /* trust anchors must vouch that it is the host's */
	TLS_CHECK_DANE, /* it must match one of these TLSA records (RFC 7671) */
};

#define TLS_NAMES_MAX 3
struct tls_policy {
	enum tls_check check;
	const char *host; /* a name, or an IP address: what we ask for */
	/* TLS_CHECK_NAME: trust anchors, or NULL for the system's. */
	const char *ca_file;
	/* TLS_CHECK_DANE: records that can be used, and the names by which the
	 * host goes, NULL where there are fewer. */
	const struct tls_tlsa *records;
	size_t record_count;
	const char *names[TLS_NAMES_MAX];
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
 * What a client remembers of its last session, to resume it: secrets, which never
 * leave this process and are wiped by tls_memory_free(). Only a session with the
 * very policy that it had verified under is resumed, for no more than an hour.
 *
 * tls_memory_new() returns NULL where there is no memory, which is fine below.
 */
struct tls_memory;

struct tls_memory *tls_memory_new(void);
void tls_memory_free(struct tls_memory *memory); /* NULL is fine */

/*
 * Start TLS 1.2 or better on a stream whose output has been flushed. Input
 * that came before the handshake is thrown away (RFC 3207 section 4.2).
 *
 * tls_accept	as a server. The identity belongs to the stream from here on,
 *		also on error.
 * tls_connect	as a client; the peer's certificate must be as the policy
 *		says (promise P5), which is used during the call only. What is
 *		in memory is resumed, if the peer agrees; what is learned gets
 *		there, until the stream is closed. NULL: nothing is.
 *
 * Return 0, or a negative errno with ret_result->error set: -ETIMEDOUT,
 * -ENOKEY if there are no trust anchors, -EKEYREJECTED if the certificate does
 * not verify, -ECONNRESET or -EPROTO.
 */
int tls_accept(struct stream *stream, struct tls_identity *identity,
    int64_t deadline_mono_ms, struct tls_result *ret_result);
int tls_connect(struct stream *stream, const struct tls_policy *policy,
    struct tls_memory *memory, int64_t deadline_mono_ms,
    struct tls_result *ret_result);

/* The server's side of it, as a module exports it to lib/tlsmodule.c. */
struct tls_functions {
	const char *version; /* the package's: the two must be of one build */
	int (*identity_load)(const char *cert_file, const char *key_file,
	    struct tls_identity **ret_identity, struct tls_result *ret_result);
	void (*identity_free)(struct tls_identity *identity);
	int (*accept)(struct stream *stream, struct tls_identity *identity,
	    int64_t deadline_mono_ms, struct tls_result *ret_result);
};

extern const struct tls_functions tls_functions;

#endif
