/* SPDX-License-Identifier: ISC */

/*
 * accept.c - evaluate an Accept field (RFC 9110 section 12.5.1).
 *
 * A field is a list of media ranges, each with parameters and a quality:
 * "text/plain;version=0.0.4, application/json;q=0.5". Of the ranges that match
 * a type the most specific one applies. Invalid ranges are ignored, and so are
 * parameters other than version and q. Pure.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp-health/accept.h"

#define FIELD_SIZE 4096
#define BLANKS " \t"

/* How closely a range matches a type: the closer, the greater. */
enum closeness {
	CLOSENESS_NONE,
	CLOSENESS_ANY,
	CLOSENESS_FAMILY,
	CLOSENESS_TYPE,
	CLOSENESS_VERSION,
};

struct range {
	const char *type;
	const char *version; /* NULL: any */
	int quality;
};

static char *
trim(char *text)
{
	text += strspn(text, BLANKS);
	for (size_t n = strlen(text); n > 0 && strchr(BLANKS, text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

static char *
unquote(char *text)
{
	size_t length = strlen(text);

	if (length < 2 || text[0] != '"' || text[length - 1] != '"')
		return text;
	text[length - 1] = '\0';
	return text + 1;
}

static int
parse_quality(const char *text)
{
	char *end;
	double quality = strtod(text, &end);

	if (end == text || *end != '\0' || !(quality >= 0 && quality <= 1))
		return 0;
	return (int)(quality * ACCEPT_QUALITY_MAX + 0.5);
}

/* Parse one range of the list, in place. */
static struct range
parse_range(char *text)
{
	struct range range = { .quality = ACCEPT_QUALITY_MAX };
	char *parameter;

	range.type = trim(strsep(&text, ";"));
	while ((parameter = strsep(&text, ";")) != NULL) {
		const char *name = trim(strsep(&parameter, "="));
		const char *value =
		    parameter != NULL ? unquote(trim(parameter)) : "";

		if (strcasecmp(name, "q") == 0)
			range.quality = parse_quality(value);
		else if (strcasecmp(name, "version") == 0)
			range.version = value;
	}
	return range;
}

static enum closeness
compare(const struct range *range, const char *type, const char *version)
{
	size_t length = strlen(range->type);

	if (strcmp(range->type, "*/*") == 0)
		return CLOSENESS_ANY;
	if (length > 2 && strcmp(range->type + length - 2, "/*") == 0)
		return strncasecmp(range->type, type, length - 1) == 0
		    ? CLOSENESS_FAMILY
		    : CLOSENESS_NONE;
	if (strcasecmp(range->type, type) != 0)
		return CLOSENESS_NONE;
	if (range->version == NULL)
		return CLOSENESS_TYPE;
	return version != NULL && strcmp(range->version, version) == 0
	    ? CLOSENESS_VERSION
	    : CLOSENESS_NONE;
}

int
accept_quality(const char *accept, const char *type, const char *version)
{
	char copy[FIELD_SIZE], *rest = copy, *text;
	enum closeness closest = CLOSENESS_NONE;
	int quality = 0;

	if (accept[strspn(accept, BLANKS)] == '\0' ||
	    strlcpy(copy, accept, sizeof(copy)) >= sizeof(copy))
		return ACCEPT_QUALITY_MAX;
	while ((text = strsep(&rest, ",")) != NULL) {
		struct range range = parse_range(text);
		enum closeness closeness = compare(&range, type, version);

		if (closeness < closest || closeness == CLOSENESS_NONE)
			continue;
		if (closeness > closest || range.quality > quality)
			quality = range.quality;
		closest = closeness;
	}
	return quality;
}
