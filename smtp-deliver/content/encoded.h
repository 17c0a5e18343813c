/* SPDX-License-Identifier: ISC */

#ifndef ENCODED_H
#define ENCODED_H

#include <stddef.h>

/* How many octets the encoded word has that the text begins with, such as
 * "=?utf-8?Q?Doe,_John?="; 0 if it begins with none. */
size_t encoded_word_length(const char *text, size_t length);

#endif
