/* SPDX-License-Identifier: ISC */

#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Room for "Sun, 22 Nov 2026 18:31:50 +0000", and for any number in it. */
#define CLOCK_DATE_SIZE 80

/* Milliseconds on a clock that is never set: for deadlines. */
int64_t clock_mono_ms(void);

/* Milliseconds since 1970 (UTC): for names, dates and the retry schedule. */
int64_t clock_real_ms(void);

/* The time as RFC 5322 section 3.3 writes it, in UTC. */
void clock_format_date(int64_t real_ms, char ret_date[CLOCK_DATE_SIZE]);

#endif
