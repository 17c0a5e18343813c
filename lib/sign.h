/* SPDX-License-Identifier: ISC */

#ifndef SIGN_H
#define SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/secret.h"

#define SIGN_HASH_SIZE 32 /* octets of SHA-256 */
#define SIGN_SIZE_MAX 512 /* octets of a signature: RSA with 4096 bits */
#define SIGN_ERROR_SIZE SECRET_ERROR_SIZE

/*
 * A private key, read from a PEM file at this call by secret_read(): RSA with
 * 1024 to 4096 bits (RFC 8301 section 3.2), or Ed25519. Encrypted keys are
 * refused.
 *
 * Returns 0, or -ENOKEY with ret_error set to the reason.
 */
struct sign_key;

int sign_key_load(const char *path, struct sign_key **ret_key,
    char ret_error[SIGN_ERROR_SIZE]);
void sign_key_free(struct sign_key *key);

/* The name of its signatures in RFC 6376 and RFC 8463: "rsa-sha256" or
 * "ed25519-sha256". */
const char *sign_key_algorithm(const struct sign_key *key);

/*
 * SHA-256 of octets that are added in pieces.
 *
 * sign_hash_open()	returns 0 or -ENOMEM.
 * sign_hash_close()	frees it. NULL is fine; ret_hash may be NULL.
 */
struct sign_hash;

int sign_hash_open(struct sign_hash **ret_hash);
void sign_hash_add(struct sign_hash *hash, const void *data, size_t size);
void sign_hash_close(struct sign_hash *hash, uint8_t ret_hash[SIGN_HASH_SIZE]);

/*
 * Sign a hash: with RSA PKCS #1 v1.5, or with Ed25519, whose message is the
 * hash (RFC 8463 section 3).
 *
 * Returns 0, or -EIO if the key cannot be used.
 */
int sign_make(const struct sign_key *key, const uint8_t hash[SIGN_HASH_SIZE],
    uint8_t ret_signature[SIGN_SIZE_MAX], size_t *ret_length);

#endif
