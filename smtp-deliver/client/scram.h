/* SPDX-License-Identifier: ISC */

#ifndef SCRAM_H
#define SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/password.h"

#define SCRAM_NONCE_MAX 256 /* octets of both sides' nonces together */
#define SCRAM_MESSAGE_SIZE 2048 /* octets of a message, with a NUL */
#define SCRAM_FIRST_SIZE 1024 /* of our first one */

/* RFC 7677 section 4 requires the minimum; a host that asks for more than the
 * maximum wastes our CPU. */
#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 1000000

/*
 * The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677). It proves to each
 * side that the other knows the password, which is never sent. Channel binding
 * is not used: the host's certificate is verified.
 *
 *	scram_begin() -> client-first -> host -> server-first -> scram_answer()
 *	-> client-final -> host -> server-final -> scram_check()
 *
 * Each returns 0, or -EPROTO with .problem saying what is wrong with the host's
 * message or with ours.
 */
struct scram {
	const char *problem;
	bool is_proven; /* the host knows the password */
	char nonce[SCRAM_NONCE_MAX];
	char first[SCRAM_FIRST_SIZE]; /* ours, without its header */
	uint8_t signature[PASSWORD_HASH_SIZE]; /* expected from the host */
};

/*
 * user		prepared, as the password is.
 * nonce	new for each exchange: printable, without a comma.
 */
int scram_begin(struct scram *scram, const char *user, const char *nonce,
    char ret_message[SCRAM_MESSAGE_SIZE]);
int scram_answer(struct scram *scram, const char *password,
    const char *server_first, char ret_message[SCRAM_MESSAGE_SIZE]);
int scram_check(struct scram *scram, const char *server_final);

#endif
