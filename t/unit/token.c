/* SPDX-License-Identifier: ISC */

/*
 * token.c - a token is half of the HMAC-SHA-256 of the address, and depends on
 * every bit of the key.
 *
 * The expected digests are those of RFC 4231 where its keys fit (a key is
 * padded with zeros, RFC 2104 section 2), otherwise those of Python's hmac and
 * openssl dgst.
 */

#include "config.h"

#include "lib/token.h"
#include "t/unit/tap.h"

#define D10 "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
#define C10 "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"

enum key { KEY_0B, KEY_JEFE, KEY_AA, KEY_1_TO_25, KEY_0_TO_31, KEY_FF, KEYS };

/* clang-format off */
static const struct { enum key key; const char *text, *token; } rows[] = {
	/* RFC 4231 sections 4.2 to 4.5 */
	{ KEY_0B, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b" },
	{ KEY_JEFE, "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c7" },
	{ KEY_AA, D10 D10 D10 D10 D10, "773ea91e36800e46854db8ebd09181a7" },
	{ KEY_1_TO_25, C10 C10 C10 C10 C10, "82558a389a443c0ea4cc819899f2083a" },

	{ KEY_0_TO_31, "", "d38b42096d80f45f826b44a9d5607de7" },
	{ KEY_0_TO_31, "user@example.org", "1745a57c1a7873cda4915ef5f51c8285" },
	{ KEY_0_TO_31, "User@example.org", "c09e14e79583a5e5318c662daa548e14" },
	{ KEY_0_TO_31, "b\xc3\xbc@example.org", "ce1de294444a7b0f197968d6d0ff5ef3" },
	{ KEY_FF, "", "b20ae80e1d70f49e9bb56625a4c9cf02" },
	{ KEY_FF, "user@example.org", "27e709a463399a156cc7a3d007010511" },
	{ KEY_FF, "b\xc3\xbc@example.org", "3dce822b9322cd0a06eaf76131e5b037" },
};
/* clang-format on */

static uint8_t keys[KEYS][TOKEN_KEY_SIZE]; /* other octets are zero */

static void
set_keys(void)
{
	memset(keys[KEY_0B], 0x0b, 20);
	memcpy(keys[KEY_JEFE], "Jefe", 4);
	memset(keys[KEY_AA], 0xaa, 20);
	for (uint8_t i = 0; i < 25; i++)
		keys[KEY_1_TO_25][i] = (uint8_t)(i + 1);
	for (uint8_t i = 0; i < 32; i++)
		keys[KEY_0_TO_31][i] = i;
	memset(keys[KEY_FF], 0xff, 32);
}

static void
make_token(const uint8_t key[TOKEN_KEY_SIZE], const char *address,
    char ret_token[TOKEN_SIZE])
{
	struct token_key token_key;

	token_set_key(&token_key, key);
	token_make(&token_key, address, ret_token);
}

/* If a bit of the key did not change the token, the key would be easier to
 * guess. */
static void
every_bit_of_the_key_matters(void)
{
	char token[TOKEN_SIZE], other[TOKEN_SIZE];
	unsigned same = 0;

	make_token(keys[KEY_0_TO_31], "user@example.org", token);
	for (unsigned bit = 0; bit < 8 * TOKEN_KEY_SIZE; bit++) {
		uint8_t key[TOKEN_KEY_SIZE];

		memcpy(key, keys[KEY_0_TO_31], sizeof(key));
		key[bit / 8] ^= (uint8_t)(1U << bit % 8);
		make_token(key, "user@example.org", other);
		same += strcmp(token, other) == 0;
	}
	is_int(same, 0, "every bit of the key changes the token");
}

int
main(void)
{
	char token[TOKEN_SIZE];

	set_keys();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		make_token(keys[rows[i].key], rows[i].text, token);
		is_str(token, rows[i].token, "token of \"%s\" under key %d",
		    rows[i].text, rows[i].key);
	}
	every_bit_of_the_key_matters();
	return done_testing();
}
