/* SPDX-License-Identifier: ISC */

#ifndef ID_H
#define ID_H

#include <stdbool.h>
#include <stdint.h>

/* 24 hexadecimal digits and a NUL. */
#define ID_SIZE 25

/*
 * Make a new id: 12 digits of the time in milliseconds, 12 of randomness.
 * Ids sort by age and are unique across the hosts that share a spool.
 *
 * Returns 0, or a negative errno if the kernel has no random octets.
 */
int id_make(char ret_id[ID_SIZE]);

/* Whether the text is an id: nothing but 24 lower-case hexadecimal digits. */
bool is_id(const char *text);

/* The time at which a valid id was made. */
int64_t id_real_ms(const char *id);

#endif
