/* SPDX-License-Identifier: ISC */

/*
 * tlsmodule.c - tls.h by a module that is loaded on demand.
 *
 * Loading GnuTLS takes longer than most sessions last, and most hosts have no
 * certificate for local clients. The module is tls.c; it calls back into
 * the program for the functions of clock.h, ip.h and stream.h that the program
 * exports to it (see Makefile.am).
 */

#include "config.h"

#include <errno.h>
#include <string.h>

#include "lib/module.h"
#include "lib/tls.h"
#include "lib/tlsmodule.h"

#define FILE_NAME "smtp-tls.so"

static const struct tls_functions *functions; /* NULL: no TLS */
static char trouble[TLS_TEXT_SIZE];

void
tls_module_load(void)
{
	functions =
	    module_load(FILE_NAME, "tls_functions", trouble, sizeof(trouble));
}

int
tls_identity_load(const char *cert_file, const char *key_file,
    struct tls_identity **ret_identity, struct tls_result *ret_result)
{
	if (functions != NULL)
		return functions->identity_load(cert_file, key_file,
		    ret_identity, ret_result);
	*ret_result = (struct tls_result){ .error = "" };
	(void)strlcpy(ret_result->error, trouble, sizeof(ret_result->error));
	return -ENOKEY;
}

void
tls_identity_free(struct tls_identity *identity)
{
	if (identity != NULL)
		functions->identity_free(identity);
}

int
tls_accept(struct stream *stream, struct tls_identity *identity,
    int64_t deadline_mono_ms, struct tls_result *ret_result)
{
	return functions->accept(stream, identity, deadline_mono_ms,
	    ret_result);
}
