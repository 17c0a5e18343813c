/* SPDX-License-Identifier: ISC */

#ifndef PASSWORD_H
#define PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PASSWORD_HASH_SIZE 32 /* octets of SHA-256 */

/*
 * Prepare a password, or a user's name, as both sides are to see it (RFC 8265
 * section 4.2, OpaqueString, which has replaced SASLprep): ASCII stays as it is,
 * other UTF-8 is composed (NFC).
 *
 * Returns 0, or -EINVAL: it is empty, too long, no UTF-8, or has characters that
 * it must not.
 */
int password_prepare(const char *text, char *ret_text, size_t size);

/* What RFC 5802 section 2.2 makes of a password, with SHA-256: Hi(), which is
 * PBKDF2, HMAC() and H(). They return 0 or -EIO. */
int password_derive(const char *password, const void *salt, size_t salt_size,
    unsigned iterations, uint8_t ret_key[PASSWORD_HASH_SIZE]);
int password_hmac(const uint8_t key[PASSWORD_HASH_SIZE], const char *text,
    uint8_t ret_hash[PASSWORD_HASH_SIZE]);
int password_hash(const uint8_t data[PASSWORD_HASH_SIZE],
    uint8_t ret_hash[PASSWORD_HASH_SIZE]);

/* Whether they are the same; takes as long if they are not. */
bool password_is_same(const uint8_t a[PASSWORD_HASH_SIZE],
    const uint8_t b[PASSWORD_HASH_SIZE]);

#endif
