/* SPDX-License-Identifier: ISC */

#ifndef TLSDANE_H
#define TLSDANE_H

#include <gnutls/gnutls.h>

#include "lib/tls.h"

/*
 * Verify the certificates that a peer sent in a handshake against the policy's
 * TLSA records (RFC 7671, RFC 7672 section 3). For tls.c only.
 *
 * Returns 0, or -EKEYREJECTED with ret_error set to the reason.
 */
int tlsdane_verify(gnutls_session_t session, const struct tls_policy *policy,
    char ret_error[TLS_TEXT_SIZE]);

#endif
