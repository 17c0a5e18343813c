/* SPDX-License-Identifier: ISC */

#ifndef WAIVER_H
#define WAIVER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether a message asks to be delivered rather than protected: it has one
 * TLS-Required field, and that says No (RFC 8689 section 3).
 *
 * text		the message, or the beginning of it.
 */
bool has_waiver(const char *text, size_t length);

#endif
