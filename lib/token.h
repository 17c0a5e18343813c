/* SPDX-License-Identifier: ISC */

#ifndef TOKEN_H
#define TOKEN_H

#include <stddef.h>
#include <stdint.h>

#define TOKEN_KEY_SIZE 32

/* 32 hexadecimal digits (128 bits) and a NUL. */
#define TOKEN_SIZE 33

/*
 * The token that stands for a recipient in file names and in the journal: the
 * first half of HMAC-SHA-256 (RFC 2104) of the address under the spool's key.
 * Without the key a token cannot be tested against guessed addresses.
 */
void token_make(const uint8_t key[TOKEN_KEY_SIZE], const char *address,
    char ret_token[TOKEN_SIZE]);

#endif
