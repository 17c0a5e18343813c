/* SPDX-License-Identifier: ISC */

#ifndef TOKEN_H
#define TOKEN_H

#include <sha2.h>
#include <stdint.h>

#define TOKEN_KEY_SIZE 32

/* 32 hexadecimal digits (128 bits) and a NUL. */
#define TOKEN_SIZE 33

/* A key, with both of its blocks hashed already (RFC 2104 section 4). */
struct token_key {
	SHA2_CTX inner, outer;
};

void token_set_key(struct token_key *token_key,
    const uint8_t key[TOKEN_KEY_SIZE]);

/*
 * The token that stands for a recipient in file names and in the journal: the
 * first half of HMAC-SHA-256 (RFC 2104) of the address under the spool's key.
 * Without the key a token cannot be tested against guessed addresses.
 */
void token_make(const struct token_key *key, const char *address,
    char ret_token[TOKEN_SIZE]);

#endif
