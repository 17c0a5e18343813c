/* SPDX-License-Identifier: ISC */

/*
 * token.c - keyed hashes of recipients.
 *
 * Pure: the key comes from the caller.
 */

#include "config.h"

#include <sha2.h>
#include <stdio.h>
#include <string.h>

#include "lib/token.h"

static void
hash_two(const uint8_t pad[SHA256_BLOCK_LENGTH], const void *data,
    size_t size_bytes, uint8_t ret_digest[SHA256_DIGEST_LENGTH])
{
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, pad, SHA256_BLOCK_LENGTH);
	SHA256Update(&context, data, size_bytes);
	SHA256Final(ret_digest, &context);
}

/* RFC 2104 section 2, for a key that is shorter than a block. */
static void
hmac_sha256(const uint8_t key[TOKEN_KEY_SIZE], const void *data,
    size_t size_bytes, uint8_t ret_digest[SHA256_DIGEST_LENGTH])
{
	uint8_t inner_pad[SHA256_BLOCK_LENGTH], outer_pad[SHA256_BLOCK_LENGTH];
	uint8_t inner[SHA256_DIGEST_LENGTH];

	memset(inner_pad, 0x36, sizeof(inner_pad));
	memset(outer_pad, 0x5c, sizeof(outer_pad));
	for (size_t i = 0; i < TOKEN_KEY_SIZE; i++) {
		inner_pad[i] ^= key[i];
		outer_pad[i] ^= key[i];
	}
	hash_two(inner_pad, data, size_bytes, inner);
	hash_two(outer_pad, inner, sizeof(inner), ret_digest);
}

void
token_make(const uint8_t key[TOKEN_KEY_SIZE], const char *address,
    char ret_token[TOKEN_SIZE])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];

	hmac_sha256(key, address, strlen(address), digest);
	for (size_t i = 0; i < (TOKEN_SIZE - 1) / 2; i++)
		(void)snprintf(ret_token + 2 * i, 3, "%02x", digest[i]);
}
