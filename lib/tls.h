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
	/* SHA-256 of the DER of the server's certificate, valid or not, or "".
	 * tls_connect() only. */
	char fingerprint[TLS_FINGERPRINT_SIZE];
	char error[TLS_TEXT_SIZE]; /* why it failed, in words */
	bool is_resumed; /* it resumed a verified session */
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

/* How a server's certificate is verified. */
enum tls_check {
	TLS_CHECK_NAME, /* it must verify for the host's name */
	TLS_CHECK_DANE, /* it must match one of these TLSA records (RFC 7671) */
	TLS_CHECK_FINGERPRINT, /* it must have one of these fingerprints */
	TLS_CHECK_NONE, /* it is not verified */
};

#define TLS_NAMES_MAX 3
struct tls_policy {
	enum tls_check check;
	const char *host; /* the name or IP address that we connect to */
	/* TLS_CHECK_NAME: trust anchors, or NULL for the system's; and whether
	 * the name must be among the alternative names (RFC 8461 section
	 * 4.2). */
	const char *ca_file;
	bool is_san_required;
	/* TLS_CHECK_DANE: usable records, and the host's names; unused elements
	 * are NULL. */
	const struct tls_tlsa *records;
	size_t record_count;
	const char *names[TLS_NAMES_MAX];
	/* TLS_CHECK_FINGERPRINT: as tls_result has them. */
	const char (*fingerprints)[TLS_FINGERPRINT_SIZE];
	size_t fingerprint_count;
};

/*
 * A certificate chain and its key, read from PEM files at this call.
 *
 * Returns 0, or -ENOKEY with ret_result->error set if they are unusable.
 */
struct tls_identity;

int tls_identity_load(const char *cert_file, const char *key_file,
    struct tls_identity **ret_identity, struct tls_result *ret_result);
void tls_identity_free(struct tls_identity *identity);

/* Check that a PEM file has trust anchors. Returns 0, or -ENOKEY with
 * ret_result->error set. */
int tls_check_anchors(const char *ca_file, struct tls_result *ret_result);

/*
 * A client's last session, kept to be resumed: secrets, which never leave this
 * process and which tls_memory_free() wipes. A session is resumed only under
 * the same policy that it was verified with, and for an hour at most.
 *
 * tls_memory_new() returns NULL when out of memory; tls_connect() accepts that.
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
 * tls_connect	as a client; the peer's certificate must satisfy the policy
 *		(promise P5), which is used during the call only. Resumes the
 *		session in memory if the peer agrees, and stores new ones there
 *		until the stream is closed. NULL: neither.
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

/* The server's side, as the module exports it to lib/tlsmodule.c. */
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
