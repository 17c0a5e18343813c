/* SPDX-License-Identifier: ISC */

#ifndef TLSPEER_H
#define TLSPEER_H

#include <stdbool.h>

#include "lib/tls.h"

/* GnuTLS calls a pointer to it gnutls_session_t. */
struct gnutls_session_int;

/*
 * Check what a server has shown in a handshake that is to be verified. Each
 * returns 0, or -EKEYREJECTED with ret_error set to the reason.
 */

/* The session's cipher suite, and the key of the server's certificate (RFC 9325
 * sections 4.1, 4.5). */
int tlspeer_check_strength(struct gnutls_session_int *session,
    char ret_error[TLS_TEXT_SIZE]);

/*
 * The certificate: a trust anchor of the session must vouch for it, as that of
 * a server with this name.
 *
 * is_san_required	the name must be among the alternative names (RFC 8461
 *			section 4.2); else the common name counts where there
 *			are none.
 */
int tlspeer_verify_name(struct gnutls_session_int *session, const char *host,
    bool is_san_required, char ret_error[TLS_TEXT_SIZE]);

#endif
