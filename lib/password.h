/* SPDX-License-Identifier: ISC */

#ifndef PASSWORD_H
#define PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PASSWORD_HASH_SIZE 32 /* octets of SHA-256 */

/*
 * Prepare a password or a user name for SASL (RFC 8265 section 4.2,
 * OpaqueString, which has replaced SASLprep): ASCII is unchanged, other UTF-8
 * is composed (NFC).
 *
 * Returns 0, or -EINVAL: empty, too long, not UTF-8, or with characters that
 * are not allowed.
 */
int password_prepare(const char *text, char *ret_text, size_t size);

/* The functions of RFC 5802 section 2.2 with SHA-256: Hi(), which is PBKDF2,
 * HMAC() and H(). Return 0 or -EIO. */
int password_derive(const char *password, const void *salt, size_t salt_size,
    unsigned iterations, uint8_t ret_key[PASSWORD_HASH_SIZE]);
int password_hmac(const uint8_t key[PASSWORD_HASH_SIZE], const char *text,
    uint8_t ret_hash[PASSWORD_HASH_SIZE]);
int password_hash(const uint8_t data[PASSWORD_HASH_SIZE],
    uint8_t ret_hash[PASSWORD_HASH_SIZE]);

/* Whether two hashes are equal, compared in constant time. */
bool password_is_same(const uint8_t a[PASSWORD_HASH_SIZE],
    const uint8_t b[PASSWORD_HASH_SIZE]);

#endif
