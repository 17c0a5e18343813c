/* SPDX-License-Identifier: ISC */

/*
 * sign.c - private keys and signatures.
 *
 * A signature covers a hash of the whole message. GnuTLS hashes faster than the
 * other libraries that we link with.
 */

#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "lib/secret.h"
#include "lib/sign.h"

#define FILE_MAX 65536
#define STACK_SIZE 65536 /* the most that GnuTLS uses */
#define RSA_BITS_MIN 1024
#define RSA_BITS_MAX (8 * SIGN_SIZE_MAX)

struct sign_key {
	gnutls_privkey_t key;
	gnutls_sign_algorithm_t algorithm;
};

struct sign_hash {
	gnutls_hash_hd_t handle;
};

/* ---- keys ---------------------------------------------------------------- */

static int
fail(char ret_error[SIGN_ERROR_SIZE], const char *reason)
{
	(void)strlcpy(ret_error, reason, SIGN_ERROR_SIZE);
	return -ENOKEY;
}

/* Set the key's signature algorithm. */
static int
take_kind(struct sign_key *key, char ret_error[SIGN_ERROR_SIZE])
{
	unsigned bits = 0;
	int kind = gnutls_privkey_get_pk_algorithm(key->key, &bits);

	if (kind == GNUTLS_PK_EDDSA_ED25519) {
		key->algorithm = GNUTLS_SIGN_EDDSA_ED25519;
		return 0;
	}
	if (kind != GNUTLS_PK_RSA)
		return fail(ret_error,
		    "it is neither an RSA nor an Ed25519 key");
	key->algorithm = GNUTLS_SIGN_RSA_SHA256;
	if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
		return 0;
	(void)snprintf(ret_error, SIGN_ERROR_SIZE,
	    "it has %u bits; expected %d to %d", bits, RSA_BITS_MIN,
	    RSA_BITS_MAX);
	return -ENOKEY;
}

static int
import(struct sign_key *key, char *text, size_t length,
    char ret_error[SIGN_ERROR_SIZE])
{
	gnutls_datum_t datum = {
		.data = (unsigned char *)text,
		.size = (unsigned)length,
	};
	int code;

	if (gnutls_privkey_init(&key->key) < 0)
		return fail(ret_error, "out of memory");
	code = gnutls_privkey_import_x509_raw(key->key, &datum,
	    GNUTLS_X509_FMT_PEM, NULL, 0);
	if (code == GNUTLS_E_DECRYPTION_FAILED)
		return fail(ret_error, "it is encrypted");
	if (code < 0)
		return fail(ret_error, gnutls_strerror(code));
	return take_kind(key, ret_error);
}

/* Wipe parts of a key that GnuTLS may have left below us on the stack. */
__attribute__((noinline)) static void
wipe_stack(void)
{
	char below[STACK_SIZE];

	explicit_bzero(below, sizeof(below));
}

int
sign_key_load(const char *path, struct sign_key **ret_key,
    char ret_error[SIGN_ERROR_SIZE])
{
	struct sign_key *key = calloc(1, sizeof(*key));
	char text[FILE_MAX];
	size_t length;
	int r;

	if (key == NULL)
		return fail(ret_error, "out of memory");
	r = secret_read(path, text, sizeof(text), &length, ret_error);
	if (r == 0)
		r = import(key, text, length, ret_error);
	explicit_bzero(text, sizeof(text));
	wipe_stack();
	if (r == 0)
		*ret_key = key;
	else
		sign_key_free(key);
	return r;
}

void
sign_key_free(struct sign_key *key)
{
	if (key == NULL)
		return;
	if (key->key != NULL)
		gnutls_privkey_deinit(key->key);
	free(key);
}

const char *
sign_key_algorithm(const struct sign_key *key)
{
	return key->algorithm == GNUTLS_SIGN_RSA_SHA256 ? "rsa-sha256"
							: "ed25519-sha256";
}

/* ---- hashes -------------------------------------------------------------- */

int
sign_hash_open(struct sign_hash **ret_hash)
{
	struct sign_hash *hash = malloc(sizeof(*hash));

	if (hash == NULL)
		return -ENOMEM;
	if (gnutls_hash_init(&hash->handle, GNUTLS_DIG_SHA256) < 0) {
		free(hash);
		return -ENOMEM;
	}
	*ret_hash = hash;
	return 0;
}

void
sign_hash_add(struct sign_hash *hash, const void *data, size_t size)
{
	/* Hashing memory with SHA-256 cannot fail. */
	(void)gnutls_hash(hash->handle, data, size);
}

void
sign_hash_close(struct sign_hash *hash, uint8_t ret_hash[SIGN_HASH_SIZE])
{
	if (hash == NULL)
		return;
	gnutls_hash_deinit(hash->handle, ret_hash);
	free(hash);
}

/* ---- signatures ---------------------------------------------------------- */

int
sign_make(const struct sign_key *key, const uint8_t hash[SIGN_HASH_SIZE],
    uint8_t ret_signature[SIGN_SIZE_MAX], size_t *ret_length)
{
	uint8_t copy[SIGN_HASH_SIZE];
	gnutls_datum_t datum = { .data = copy, .size = sizeof(copy) };
	gnutls_datum_t signature;
	int code;

	memcpy(copy, hash, sizeof(copy));
	if (key->algorithm == GNUTLS_SIGN_RSA_SHA256)
		code = gnutls_privkey_sign_hash2(key->key, key->algorithm, 0,
		    &datum, &signature);
	else
		code = gnutls_privkey_sign_data2(key->key, key->algorithm, 0,
		    &datum, &signature);
	if (code < 0)
		return -EIO;
	if (signature.size > SIGN_SIZE_MAX) {
		gnutls_free(signature.data);
		return -EIO;
	}
	memcpy(ret_signature, signature.data, signature.size);
	*ret_length = signature.size;
	gnutls_free(signature.data);
	return 0;
}
