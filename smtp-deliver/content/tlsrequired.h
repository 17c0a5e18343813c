/* SPDX-License-Identifier: ISC */

#ifndef TLSREQUIRED_H
#define TLSREQUIRED_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a message asks for delivery even without the TLS that policies
 * require: it has one TLS-Required field, with the value No (RFC 8689 section
 * 3).
 *
 * text		the message, or the beginning of it.
 */
bool tlsrequired_is_no(const char *text, size_t length);

#endif
