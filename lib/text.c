/* SPDX-License-Identifier: ISC */

/*
 * text.c - small functions for texts. Pure.
 */

#include "config.h"

#include <ctype.h>
#include <stddef.h>

#include "lib/text.h"

void
text_replace_controls(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
}

const char *
text_or_null(const char *text)
{
	return *text != '\0' ? text : NULL;
}
