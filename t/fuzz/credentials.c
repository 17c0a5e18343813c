/* SPDX-License-Identifier: ISC */

/*
 * credentials.c - credentials files: accepted credentials can be sent to a
 * host, and are found again; an error names the line, and contains no text of
 * the file.
 */

#include "config.h"

#include "smtp-deliver/client/credentials.h"
#include "t/fuzz/fuzz.h"

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

static void
check_entry(const struct credentials *credentials, size_t number)
{
	const struct credential *entry = &credentials->entries[number];

	must(*entry->host != '\0' && *entry->user != '\0');
	must(!has_control(entry->host) && strchr(entry->host, ' ') == NULL);
	must(!has_control(entry->user) && !has_control(entry->secret));
	must(*entry->secret != '\0' &&
	    strlen(entry->secret) < CREDENTIAL_SECRET_SIZE);
	must(entry->mechanisms != 0 && entry->line > 0);
	must(credentials_find(credentials, entry->host, entry->port) == entry);
	must(credentials_note_refusal(credentials, entry));
	must(credentials_are_refused(credentials, entry));
}

/* "line N: expected", followed by text of the program. */
static void
check_error(const char *error)
{
	unsigned line;

	must(strnlen(error, SECRET_ERROR_SIZE) < SECRET_ERROR_SIZE);
	/* NOLINTNEXTLINE(cert-err34-c): lines are fewer than octets */
	must(sscanf(error, "line %u: expected ", &line) == 1 && line > 0);
	must(fuzz_is_printable(error, strlen(error)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[SECRET_ERROR_SIZE], *text = fuzz_copy(data, size);
	struct credentials *credentials;

	if (credentials_parse(text, size, &credentials, error) == 0) {
		for (size_t i = 0; i < credentials->count; i++)
			check_entry(credentials, i);
		credentials_close(credentials);
	} else
		check_error(error);
	free(text);
	return 0;
}
