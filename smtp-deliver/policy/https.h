/* SPDX-License-Identifier: ISC */

#ifndef HTTPS_H
#define HTTPS_H

#include <stddef.h>

#define HTTPS_MODULE "smtp-https.so"

/* What is to be fetched by HTTPS, and how. */
struct https_request {
	const char *url;
	const char *address; /* HOST:PORT:ADDRESS[,ADDRESS...], nobody asks */
	const char *ca_file; /* or NULL for the system's trust store */
	const char *media_type; /* that it must be of */
	int timeout_ms;
};

/*
 * The module exports a struct of this type as "https_functions".
 *
 * get		Fetch a document into a buffer: from that host alone, no
 *		redirects, over TLS 1.2 or better with a certificate that
 *		verifies. Returns 0 with ret_length set, or -EPROTO with
 *		ret_error, of error_size octets, saying why there is none.
 */
struct https_functions {
	const char *version; /* the package's: the two must be of one build */
	int (*get)(const struct https_request *request, char *buffer,
	    size_t size, size_t *ret_length, char *ret_error,
	    size_t error_size);
};

extern const struct https_functions https_functions;

#endif
