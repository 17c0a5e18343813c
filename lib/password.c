/* SPDX-License-Identifier: ISC */

/*
 * password.c - the cryptography of password proofs, by GnuTLS.
 */

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "lib/password.h"

int
password_prepare(const char *text, char *ret_text, size_t size)
{
	gnutls_datum_t prepared;
	int r = -EINVAL;

	if (*text == '\0' ||
	    gnutls_utf8_password_normalize((const unsigned char *)text,
		(unsigned)strlen(text), &prepared, 0) < 0)
		return r;
	if (prepared.size > 0 && prepared.size < size &&
	    memchr(prepared.data, '\0', prepared.size) == NULL) {
		memcpy(ret_text, prepared.data, prepared.size);
		ret_text[prepared.size] = '\0';
		r = 0;
	}
	explicit_bzero(prepared.data, prepared.size);
	gnutls_free(prepared.data);
	return r;
}

int
password_derive(const char *password, const void *salt, size_t salt_size,
    unsigned iterations, uint8_t ret_key[PASSWORD_HASH_SIZE])
{
	/* GnuTLS takes pointers to data that is not const. */
	size_t length = strlen(password);
	uint8_t *copy = malloc(length + salt_size + 1);
	gnutls_datum_t key = { .data = copy, .size = (unsigned)length };
	gnutls_datum_t salt_datum = { .size = (unsigned)salt_size };
	int r;

	if (copy == NULL)
		return -EIO;
	salt_datum.data = copy + length;
	memcpy(copy, password, length);
	memcpy(salt_datum.data, salt, salt_size);
	r = gnutls_pbkdf2(GNUTLS_MAC_SHA256, &key, &salt_datum, iterations,
	    ret_key, PASSWORD_HASH_SIZE);
	freezero(copy, length);
	return r < 0 ? -EIO : 0;
}

int
password_hmac(const uint8_t key[PASSWORD_HASH_SIZE], const char *text,
    uint8_t ret_hash[PASSWORD_HASH_SIZE])
{
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, PASSWORD_HASH_SIZE,
		   text, strlen(text), ret_hash) < 0
	    ? -EIO
	    : 0;
}

int
password_hash(const uint8_t data[PASSWORD_HASH_SIZE],
    uint8_t ret_hash[PASSWORD_HASH_SIZE])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, data, PASSWORD_HASH_SIZE,
		   ret_hash) < 0
	    ? -EIO
	    : 0;
}

bool
password_is_same(const uint8_t a[PASSWORD_HASH_SIZE],
    const uint8_t b[PASSWORD_HASH_SIZE])
{
	return gnutls_memcmp(a, b, PASSWORD_HASH_SIZE) == 0;
}
