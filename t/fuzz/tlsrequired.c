/* SPDX-License-Identifier: ISC */

/*
 * tlsrequired.c - messages that may have a TLS-Required field: a message
 * overrides TLS policies only by a single such field, in its header.
 */

#include "config.h"

#include "smtp-deliver/content/tlsrequired.h"
#include "t/fuzz/fuzz.h"

/* Whether the message overrides TLS policies if other text precedes it. */
static bool
has_waiver_after(const char *before, const char *text, size_t length)
{
	size_t first = strlen(before);
	char *whole = malloc(first + length);
	bool result;

	must(whole != NULL);
	memcpy(whole, before, first);
	memcpy(whole + first, text, length);
	result = tlsrequired_is_no(whole, first + length);
	free(whole);
	return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size);
	bool is_waived = tlsrequired_is_no(text, size);
	bool is_folded = size > 0 && (text[0] == ' ' || text[0] == '\t');

	must(!is_waived || memchr(text, ':', size) != NULL);
	must(!has_waiver_after("\r\n", text, size));
	if (!is_folded) {
		must(has_waiver_after("To: x\r\n", text, size) == is_waived);
		must(!is_waived ||
		    !has_waiver_after("TLS-Required: No\r\n", text, size));
	}
	must(!has_waiver_after("TLS-Required: Yes\r\n", text, size));
	free(text);
	return 0;
}
