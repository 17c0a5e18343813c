/* SPDX-License-Identifier: ISC */

/*
 * idna.c - domain names in the form that the DNS has them (RFC 5891). Pure.
 *
 * IDNA is for labels outside ASCII. Others are used as they are, whatever IDNA
 * says of them: "ab--cd" and "xn--ls8h" are registered, and receive mail.
 */

#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <idn2.h>

#include "lib/utf8.h"
#include "smtp-deliver/net/idna.h"

#define LABEL_MAX 63 /* octets: RFC 1035 section 2.3.4 */
#define NAME_MAX_OCTETS 253 /* with dots, but none at the end */

static bool
is_plain_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Whether the label has letters, digits, hyphens and underscores only. */
static bool
is_plain(const char *label, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!is_plain_char(label[i]))
			return false;
	return length > 0 && length <= LABEL_MAX;
}

/* Whether these are plain labels with dots between. */
static bool
is_plain_name(const char *name)
{
	for (;;) {
		size_t length = strcspn(name, ".");

		if (!is_plain(name, length))
			return false;
		if (name[length] == '\0')
			return true;
		name += length + 1;
	}
}

/*
 * Convert a label with octets outside ASCII; what looks like a dot makes two of
 * it.
 *
 * Characters that look like letters may map to any sign, as U+FF1B does to ";",
 * and the name goes into signatures and URLs. libidn2's check for that, the
 * STD 3 rules, does not help: it drops such signs, which yields another name.
 */
static int
convert_label(const char *label, char ret_name[DNS_NAME_SIZE])
{
	char *ascii = NULL;
	int r = idn2_to_ascii_8z(label, &ascii,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

	if (r != IDN2_OK)
		return -EBADMSG;
	r = is_plain_name(ascii) &&
		strlcpy(ret_name, ascii, DNS_NAME_SIZE) < DNS_NAME_SIZE
	    ? 0
	    : -EBADMSG;
	idn2_free(ascii);
	return r;
}

/* Add a label, in lower case, after a dot if it is not the first. */
static int
add_label(const char *label, size_t length, char name[DNS_NAME_SIZE])
{
	char copy[DNS_NAME_SIZE], converted[DNS_NAME_SIZE];
	const char *text = copy;

	if (length >= sizeof(copy))
		return -EBADMSG;
	memcpy(copy, label, length);
	copy[length] = '\0';
	if (!is_plain(label, length)) {
		if (!has_high_octet(label, length) ||
		    convert_label(copy, converted) < 0)
			return -EBADMSG;
		text = converted;
	}
	if (*name != '\0' && strlcat(name, ".", DNS_NAME_SIZE) >= DNS_NAME_SIZE)
		return -EBADMSG;
	return strlcat(name, text, DNS_NAME_SIZE) < DNS_NAME_SIZE ? 0
								  : -EBADMSG;
}

int
idna_to_ascii(const char *domain, char ret_domain[DNS_NAME_SIZE])
{
	char name[DNS_NAME_SIZE] = "";

	do {
		size_t length = strcspn(domain, ".");

		if (add_label(domain, length, name) < 0)
			return -EBADMSG;
		domain += length;
	} while (*domain == '.' && *++domain != '\0');
	if (strlen(name) > NAME_MAX_OCTETS)
		return -EBADMSG;
	for (char *p = name; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	(void)strlcpy(ret_domain, name, DNS_NAME_SIZE);
	return 0;
}
