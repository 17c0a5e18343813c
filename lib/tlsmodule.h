/* SPDX-License-Identifier: ISC */

#ifndef TLSMODULE_H
#define TLSMODULE_H

/*
 * TLS for a program that seldom needs it. tlsmodule.c in place of tls.c has the
 * server's side of tls.h; only this call loads GnuTLS. It reads files and maps
 * code: call it before entering a sandbox.
 *
 * If it fails, tls_identity_load() fails with its reason.
 */
void tls_module_load(void);

#endif
