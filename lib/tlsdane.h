/* SPDX-License-Identifier: ISC */

#ifndef TLSDANE_H
#define TLSDANE_H

#include <gnutls/gnutls.h>

#include "lib/tls.h"

/*
 * Whether the chain that a peer has shown in a handshake is one that the
 * policy's TLSA records allow (RFC 7671, RFC 7672 section 3). For tls.c alone.
 *
 * Returns 0, or -EKEYREJECTED with ret_error saying why it is not.
 */
int tlsdane_verify(gnutls_session_t session, const struct tls_policy *policy,
    char ret_error[TLS_TEXT_SIZE]);

#endif
