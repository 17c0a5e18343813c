/* SPDX-License-Identifier: ISC */

#ifndef TEXT_H
#define TEXT_H

/* Replace control characters by "?", in place: what is printed or logged stays
 * one line. */
void text_replace_controls(char *text);

/* Return the text, or NULL if it is "". */
const char *text_or_null(const char *text);

#endif
