/* SPDX-License-Identifier: ISC */

#ifndef HTTPS_H
#define HTTPS_H

#include <stddef.h>

#define HTTPS_MODULE "smtp-https.so"

/* A document to fetch by HTTPS. */
struct https_request {
	const char *url;
	const char *host; /* that the certificate must be for */
	const char
	    *address; /* HOST:PORT:ADDRESS[,ADDRESS...], so that nothing is
			      * resolved */
	const char *ca_file; /* or NULL for the system's trust store */
	const char *media_type; /* that the document must have */
	int timeout_ms;
};

/*
 * The module exports a struct of this type as "https_functions".
 *
 * get		Fetch a document into a buffer: from that host, without
 *		redirects, over TLS 1.2 or later with a certificate that
 *		verifies as one of a mail host with an enforced policy (RFC
 *		8461 sections 3.3, 4.2). Returns 0 with ret_length set, or
 *		-EPROTO with the reason in ret_error.
 */
struct https_functions {
	const char *version; /* of the package: must be the program's */
	int (*get)(const struct https_request *request, char *buffer,
	    size_t size, size_t *ret_length, char *ret_error,
	    size_t error_size);
};

extern const struct https_functions https_functions;

#endif
