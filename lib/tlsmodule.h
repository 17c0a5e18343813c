/* SPDX-License-Identifier: ISC */

#ifndef TLSMODULE_H
#define TLSMODULE_H

/*
 * TLS for a program that seldom needs it: whoever links tlsmodule.c in place of
 * tls.c has the server's side of tls.h, and GnuTLS is loaded by this call alone.
 * It reads files and maps code, so it comes before a sandbox closes.
 *
 * Where it fails tls_identity_load() fails, and says why.
 */
void tls_module_load(void);

#endif
