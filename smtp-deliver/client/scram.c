/* SPDX-License-Identifier: ISC */

/*
 * scram.c - the messages of SCRAM-SHA-256, as a client (RFC 5802, RFC 7677).
 *
 * Pure: no I/O, no memory; random octets come from the caller.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "smtp-deliver/client/scram.h"

#define HEADER "n,," /* without channel binding */
#define HEADER_BASE64 "biws"

/* The contents of server-first. */
struct challenge {
	char nonce[SCRAM_NONCE_MAX];
	uint8_t salt[SCRAM_MESSAGE_SIZE];
	size_t salt_size;
	unsigned iterations;
};

static int
fail(struct scram *scram, const char *problem)
{
	scram->problem = problem;
	return -EPROTO;
}

/* Escape the characters that separate attributes (RFC 5802 section 5.1). */
static bool
add_name(char *text, size_t size, const char *name)
{
	size_t used = strlen(text);

	for (; *name != '\0'; name++) {
		char octet[4] = { *name, '\0' };

		if (*name == ',' || *name == '=')
			(void)strlcpy(octet, *name == ',' ? "=2C" : "=3D",
			    sizeof(octet));
		used = strlcat(text, octet, size);
	}
	return used < size;
}

int
scram_begin(struct scram *scram, const char *user, const char *nonce,
    char ret_message[SCRAM_MESSAGE_SIZE])
{
	*scram = (struct scram){ .first = "n=" };
	if (strlcpy(scram->nonce, nonce, sizeof(scram->nonce)) >=
		sizeof(scram->nonce) ||
	    !add_name(scram->first, sizeof(scram->first), user) ||
	    strlcat(scram->first, ",r=", sizeof(scram->first)) >=
		sizeof(scram->first) ||
	    strlcat(scram->first, nonce, sizeof(scram->first)) >=
		sizeof(scram->first))
		return fail(scram, "the user name is too long");
	(void)snprintf(ret_message, SCRAM_MESSAGE_SIZE, HEADER "%s",
	    scram->first);
	return 0;
}

/* Take the value of the next attribute from a message. Returns false if it has
 * another name, or its value is empty or does not fit. */
static bool
take(const char **message, char name, char *ret_value, size_t size)
{
	const char *text = *message;
	size_t length;

	if (text[0] != name || text[1] != '=')
		return false;
	text += 2;
	length = strcspn(text, ",");
	if (length == 0 || length >= size)
		return false;
	memcpy(ret_value, text, length);
	ret_value[length] = '\0';
	*message = text + length + (text[length] == ',');
	return true;
}

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < '!' || *text > '~')
			return false;
	return true;
}

static bool
parse_iterations(const char *text, unsigned *ret_iterations)
{
	const char *problem = NULL;

	*ret_iterations = (unsigned)strtonum(text, SCRAM_ITERATIONS_MIN,
	    SCRAM_ITERATIONS_MAX, &problem);
	return problem == NULL && text[strspn(text, "0123456789")] == '\0';
}

/* Parse server-first. Extensions may follow it; a mandatory one, m=, would
 * precede it. */
static int
parse_challenge(struct scram *scram, const char *text,
    struct challenge *ret_challenge)
{
	char value[SCRAM_MESSAGE_SIZE];
	size_t own_length = strlen(scram->nonce);
	ssize_t n;

	if (!take(&text, 'r', ret_challenge->nonce,
		sizeof(ret_challenge->nonce)))
		return fail(scram, "no nonce in the host's first message");
	if (!is_printable(ret_challenge->nonce) ||
	    strncmp(ret_challenge->nonce, scram->nonce, own_length) != 0 ||
	    ret_challenge->nonce[own_length] == '\0')
		return fail(scram, "the host's nonce does not extend ours");
	if (!take(&text, 's', value, sizeof(value)))
		return fail(scram, "no salt in the host's first message");
	n = base64_decode(value, ret_challenge->salt,
	    sizeof(ret_challenge->salt));
	if (n <= 0)
		return fail(scram, "the host's salt is not base64");
	ret_challenge->salt_size = (size_t)n;
	if (!take(&text, 'i', value, sizeof(value)) ||
	    !parse_iterations(value, &ret_challenge->iterations))
		return fail(scram,
		    "the host's iteration count is not between 4096 and "
		    "1000000");
	return 0;
}

/* Make AuthMessage, which both sides sign. It ends with ret_final: our last
 * message, up to the proof. */
static bool
make_text(const struct scram *scram, const char *server_first,
    const char *nonce, char *ret_text, size_t size,
    char ret_final[SCRAM_MESSAGE_SIZE])
{
	(void)snprintf(ret_final, SCRAM_MESSAGE_SIZE,
	    "c=" HEADER_BASE64 ",r=%s", nonce);
	return snprintf(ret_text, size, "%s,%s,%s", scram->first, server_first,
		   ret_final) < (int)size;
}

/* Compute our proof and the host's expected signature (RFC 5802 section 3). */
static int
prove(const char *password, const struct challenge *challenge, const char *text,
    uint8_t ret_proof[PASSWORD_HASH_SIZE],
    uint8_t ret_signature[PASSWORD_HASH_SIZE])
{
	uint8_t salted[PASSWORD_HASH_SIZE], own[PASSWORD_HASH_SIZE];
	uint8_t stored[PASSWORD_HASH_SIZE];
	int r;

	if ((r = password_derive(password, challenge->salt,
		 challenge->salt_size, challenge->iterations, salted)) == 0 &&
	    (r = password_hmac(salted, "Server Key", own)) == 0 &&
	    (r = password_hmac(own, text, ret_signature)) == 0 &&
	    (r = password_hmac(salted, "Client Key", own)) == 0 &&
	    (r = password_hash(own, stored)) == 0 &&
	    (r = password_hmac(stored, text, ret_proof)) == 0)
		for (size_t i = 0; i < PASSWORD_HASH_SIZE; i++)
			ret_proof[i] ^= own[i];
	explicit_bzero(salted, sizeof(salted));
	explicit_bzero(own, sizeof(own));
	explicit_bzero(stored, sizeof(stored));
	return r;
}

int
scram_answer(struct scram *scram, const char *password,
    const char *server_first, char ret_message[SCRAM_MESSAGE_SIZE])
{
	struct challenge challenge;
	uint8_t proof[PASSWORD_HASH_SIZE];
	char text[SCRAM_FIRST_SIZE + 2 * SCRAM_MESSAGE_SIZE];
	char base64[BASE64_SIZE(PASSWORD_HASH_SIZE)];
	int r;

	if ((r = parse_challenge(scram, server_first, &challenge)) < 0)
		return r;
	if (!make_text(scram, server_first, challenge.nonce, text, sizeof(text),
		ret_message))
		return fail(scram, "the host's first message is too long");
	if (prove(password, &challenge, text, proof, scram->signature) < 0)
		return fail(scram, "the proof cannot be computed");
	base64_encode(proof, sizeof(proof), base64);
	(void)strlcat(ret_message, ",p=", SCRAM_MESSAGE_SIZE);
	(void)strlcat(ret_message, base64, SCRAM_MESSAGE_SIZE);
	return 0;
}

int
scram_check(struct scram *scram, const char *server_final)
{
	uint8_t signature[PASSWORD_HASH_SIZE];
	char value[SCRAM_MESSAGE_SIZE];

	if (!take(&server_final, 'v', value, sizeof(value)))
		return fail(scram, "no signature in the host's last message");
	if (base64_decode(value, signature, sizeof(signature)) !=
		sizeof(signature) ||
	    !password_is_same(signature, scram->signature))
		return fail(scram,
		    "the host does not know the password: its signature is "
		    "wrong");
	scram->is_proven = true;
	return 0;
}
