/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_KEY_H
#define SPOOL_KEY_H

#include <stdbool.h>

#include "lib/address.h"
#include "lib/spool/spool.h"
#include "lib/token.h"

/*
 * The key that tokens are made with: a file of the spool, read once, or what
 * spool_take_key() has read. Known in lib/spool only.
 */
struct spool_key {
	bool is_loaded;
	struct token_key key;
	char address[ADDRESS_SIZE]; /* that the last token is of, or "" */
	char token[TOKEN_SIZE];
};

/* Read the key into memory, making it if there is none. Returns 0 or a negative
 * errno; -EBADMSG: the key on disk is damaged. */
int key_load(struct spool *spool);

/* Forget the key. */
void key_clear(struct spool_key *key);

#endif
