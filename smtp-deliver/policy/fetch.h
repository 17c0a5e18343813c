/* SPDX-License-Identifier: ISC */

#ifndef FETCH_H
#define FETCH_H

#include <stddef.h>

#define FETCH_MODULE "smtp-fetch.so"

/* What is to be fetched by HTTPS, and how. */
struct fetch_request {
	const char *url;
	const char *address; /* HOST:PORT:ADDRESS[,ADDRESS...], nobody asks */
	const char *ca_file; /* or NULL for the system's trust store */
	const char *media_type; /* that it must be of */
	int timeout_ms;
};

/*
 * The module exports a struct of this type as "fetch_functions".
 *
 * get		Fetch a document into a buffer: from that host alone, no
 *		redirects, over TLS 1.2 or better with a certificate that
 *		verifies. Returns 0 with ret_length set, or -EPROTO with
 *		ret_error, of error_size octets, saying why there is none.
 */
struct fetch_functions {
	const char *version; /* the package's: the two must be of one build */
	int (*get)(const struct fetch_request *request, char *buffer,
	    size_t size, size_t *ret_length, char *ret_error,
	    size_t error_size);
};

extern const struct fetch_functions fetch_functions;

#endif
