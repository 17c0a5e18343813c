/* SPDX-License-Identifier: ISC */

/*
 * token.c - keyed hashes of recipients.
 *
 * Pure: the key comes from the caller.
 */

#include "config.h"

#include <string.h>

#include "lib/token.h"

static void
start_hash(SHA2_CTX *context, const uint8_t key[TOKEN_KEY_SIZE], uint8_t filler)
{
	uint8_t pad[SHA256_BLOCK_LENGTH];

	memset(pad, filler, sizeof(pad));
	for (size_t i = 0; i < TOKEN_KEY_SIZE; i++)
		pad[i] ^= key[i];
	SHA256Init(context);
	SHA256Update(context, pad, sizeof(pad));
	explicit_bzero(pad, sizeof(pad));
}

static void
end_hash(const SHA2_CTX *start, const void *data, size_t size_bytes,
    uint8_t ret_digest[SHA256_DIGEST_LENGTH])
{
	SHA2_CTX context = *start;

	SHA256Update(&context, data, size_bytes);
	SHA256Final(ret_digest, &context);
}

/* RFC 2104 section 2, for a key that is shorter than a block. */
void
token_set_key(struct token_key *token_key, const uint8_t key[TOKEN_KEY_SIZE])
{
	start_hash(&token_key->inner, key, 0x36);
	start_hash(&token_key->outer, key, 0x5c);
}

void
token_make(const struct token_key *key, const char *address,
    char ret_token[TOKEN_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t digest[SHA256_DIGEST_LENGTH];

	end_hash(&key->inner, address, strlen(address), digest);
	end_hash(&key->outer, digest, sizeof(digest), digest);
	for (size_t i = 0; i < (TOKEN_SIZE - 1) / 2; i++) {
		ret_token[2 * i] = digits[digest[i] >> 4];
		ret_token[2 * i + 1] = digits[digest[i] & 15];
	}
	ret_token[TOKEN_SIZE - 1] = '\0';
}
