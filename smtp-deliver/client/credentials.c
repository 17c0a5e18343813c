/* SPDX-License-Identifier: ISC */

/*
 * credentials.c - the lines of SMTP_AUTH_FILE: how to authenticate to relays.
 */

#include "config.h"

#include <sys/mman.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/clock.h"
#include "lib/password.h"
#include "lib/secret.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/route/relays.h"

#define BLANKS " \t"
#define WORD_SIZE 320 /* of a host with port, or of a mechanism */
#define LINE_SIZE (WORD_SIZE + CREDENTIAL_USER_SIZE + CREDENTIAL_SECRET_SIZE)
#define GROW 16

/* How long rejected credentials are not tried again. */
#define REFUSED_MS INT64_C(600000)

/* A slot for each line, and one for hosts without a line. Workers share the
 * slots with the run, by fork(2). */
struct credentials_refusals {
	size_t size_bytes;
	struct {
		atomic_bool was_refused; /* in this run */
		_Atomic int64_t until_mono_ms; /* not tried before then */
	} slots[];
};

static const struct mechanism_name {
	const char *name;
	unsigned mechanisms;
} mechanism_names[] = {
	{ "password", CREDENTIAL_PASSWORD },
	{ "scram-sha-256", CREDENTIAL_SCRAM_SHA_256 },
	{ "plain", CREDENTIAL_PLAIN },
	{ "login", CREDENTIAL_LOGIN },
	{ "xoauth2", CREDENTIAL_XOAUTH2 },
};

/* ---- a line -------------------------------------------------------------- */

/* Take a word from a line. Returns false if no word is left, or it is too
 * long. */
static bool
take_word(const char **line, char *ret_word, size_t size)
{
	size_t length = strcspn(*line, BLANKS);

	if (length == 0 || length >= size)
		return false;
	memcpy(ret_word, *line, length);
	ret_word[length] = '\0';
	*line += length;
	*line += strspn(*line, BLANKS);
	return true;
}

static bool
parse_host(const char *word, struct credential *ret_credential)
{
	char error[RELAYS_ERROR_SIZE];
	struct relays relays;

	if (relays_parse(word, &relays, error) < 0 || relays.count != 1)
		return false;
	ret_credential->port = relays.entries[0].port;
	if (idna_to_ascii(relays.entries[0].name, ret_credential->host) < 0)
		(void)strlcpy(ret_credential->host, relays.entries[0].name,
		    sizeof(ret_credential->host)); /* an IPv6 address */
	return true;
}

static bool
parse_mechanism(const char *word, struct credential *ret_credential)
{
	size_t count = sizeof(mechanism_names) / sizeof(mechanism_names[0]);

	for (size_t i = 0; i < count; i++) {
		ret_credential->mechanisms = mechanism_names[i].mechanisms;
		if (strcasecmp(word, mechanism_names[i].name) == 0)
			return true;
	}
	return false;
}

/* A bearer token (RFC 6750 section 2.1). */
static bool
is_token(const char *text)
{
	return *text != '\0' &&
	    text[strspn(text,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-._~+/=")] == '\0';
}

static bool
parse_secret(const char *text, struct credential *ret_credential)
{
	char secret[CREDENTIAL_SECRET_SIZE];
	bool is_good;

	if (ret_credential->mechanisms == CREDENTIAL_XOAUTH2)
		is_good = is_token(text) &&
		    strlcpy(secret, text, sizeof(secret)) < sizeof(secret);
	else
		is_good = password_prepare(text, secret, sizeof(secret)) == 0;
	if (is_good)
		ret_credential->secret = strdup(secret);
	explicit_bzero(secret, sizeof(secret));
	return is_good && ret_credential->secret != NULL;
}

/* Returns NULL, or what was expected. */
static const char *
parse_line(const char *line, struct credential *ret_credential)
{
	char word[WORD_SIZE], user[CREDENTIAL_USER_SIZE];

	if (!take_word(&line, word, sizeof(word)) ||
	    !parse_host(word, ret_credential))
		return "a host: NAME, [NAME] or [IP], with :PORT or without";
	if (!take_word(&line, word, sizeof(word)) ||
	    !parse_mechanism(word, ret_credential))
		return "password, scram-sha-256, plain, login or xoauth2 "
		       "after the host";
	if (!take_word(&line, user, sizeof(user)) ||
	    password_prepare(user, ret_credential->user,
		sizeof(ret_credential->user)) < 0)
		return "a user, in UTF-8 and without blanks, after the "
		       "mechanism";
	if (*line == '\0')
		return "a secret after the user";
	if (strchr(BLANKS, line[strlen(line) - 1]) != NULL)
		return "no blank at the end of the line";
	if (!parse_secret(line, ret_credential))
		return ret_credential->mechanisms == CREDENTIAL_XOAUTH2
		    ? "a token of OAuth 2 after the user"
		    : "a password in UTF-8 after the user";
	return NULL;
}

/* ---- a file -------------------------------------------------------------- */

static int
fail(char ret_error[SECRET_ERROR_SIZE], unsigned line, const char *expected)
{
	(void)snprintf(ret_error, SECRET_ERROR_SIZE, "line %u: expected %s",
	    line, expected);
	return -ENOKEY;
}

static bool
is_same_place(const struct credential *a, const struct credential *b)
{
	return strcasecmp(a->host, b->host) == 0 && a->port == b->port;
}

/* Make room for one more line. */
static bool
grow(struct credentials *credentials)
{
	size_t count = credentials->count;
	struct credential *entries;

	if (count % GROW != 0)
		return true;
	entries =
	    reallocarray(credentials->entries, count + GROW, sizeof(*entries));
	if (entries == NULL)
		return false;
	memset(entries + count, 0, GROW * sizeof(*entries));
	credentials->entries = entries;
	return true;
}

static const char *
add_line(struct credentials *credentials, const char *text, unsigned number)
{
	struct credential *credential;
	const char *expected;

	if (credentials->count == CREDENTIALS_MAX)
		return "no more than 1000 hosts";
	if (!grow(credentials))
		return "more memory";
	credential = &credentials->entries[credentials->count];
	credential->line = number;
	expected = parse_line(text, credential);
	credentials->count++; /* an incomplete entry is freed, too */
	if (expected != NULL)
		return expected;
	for (size_t i = 0; i + 1 < credentials->count; i++)
		if (is_same_place(&credentials->entries[i], credential))
			return "a host that no line above has";
	return NULL;
}

/* Take one line, without its LF. */
static const char *
take_line(struct credentials *credentials, const char *text, size_t length,
    unsigned number)
{
	char line[LINE_SIZE];
	const char *start, *expected = NULL;

	if (length >= sizeof(line))
		return "a shorter line";
	memcpy(line, text, length);
	line[length] = '\0';
	start = line + strspn(line, BLANKS);
	if (strlen(line) != length)
		expected = "text without NUL";
	else if (*start != '\0' && *start != '#')
		expected = add_line(credentials, start, number);
	explicit_bzero(line, sizeof(line));
	return expected;
}

static int
make_refusals(struct credentials *credentials)
{
	size_t size = sizeof(*credentials->refusals) +
	    (credentials->count + 1) * sizeof(credentials->refusals->slots[0]);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -errno;
	credentials->refusals = memory;
	credentials->refusals->size_bytes = size;
	return 0;
}

int
credentials_parse(const char *text, size_t length,
    struct credentials **ret_credentials, char ret_error[SECRET_ERROR_SIZE])
{
	struct credentials *credentials = calloc(1, sizeof(*credentials));
	const char *expected = NULL;
	unsigned number = 0;

	if (credentials == NULL)
		return fail(ret_error, 0, "more memory");
	while (expected == NULL && length > 0) {
		const char *end = memchr(text, '\n', length);
		size_t used = end != NULL ? (size_t)(end - text) : length;

		expected = take_line(credentials, text, used, ++number);
		used += end != NULL;
		text += used;
		length -= used;
	}
	if (expected == NULL && make_refusals(credentials) < 0)
		expected = "more memory";
	if (expected != NULL) {
		credentials_close(credentials);
		return fail(ret_error, number, expected);
	}
	*ret_credentials = credentials;
	return 0;
}

static int
read_file(const char *name, struct credentials **ret_credentials,
    char ret_error[SECRET_ERROR_SIZE])
{
	char *text = malloc(CREDENTIALS_FILE_MAX);
	size_t length = 0;
	int r = -ENOKEY;

	if (text == NULL)
		(void)strlcpy(ret_error, "no memory", SECRET_ERROR_SIZE);
	else
		r = secret_read(name, text, CREDENTIALS_FILE_MAX, &length,
		    ret_error);
	if (r == 0)
		r = credentials_parse(text, length, ret_credentials, ret_error);
	if (text != NULL)
		explicit_bzero(text, length);
	free(text);
	return r;
}

int
credentials_open(const struct deliver_settings *settings,
    struct credentials **ret_credentials,
    char ret_error[CREDENTIALS_ERROR_SIZE])
{
	char problem[SECRET_ERROR_SIZE];

	if (settings->auth_file == NULL)
		return credentials_parse("", 0, ret_credentials, ret_error);
	if (read_file(settings->auth_file, ret_credentials, problem) == 0)
		return 0;
	(void)snprintf(ret_error, CREDENTIALS_ERROR_SIZE,
	    "SMTP_AUTH_FILE is \"%.128s\"; %s", settings->auth_file, problem);
	return -ENOKEY;
}

void
credentials_forget(struct credentials *credentials)
{
	for (size_t i = 0; i < credentials->count; i++)
		if (credentials->entries[i].secret != NULL)
			freezero(credentials->entries[i].secret,
			    strlen(credentials->entries[i].secret));
	credentials->count = 0;
}

void
credentials_close(struct credentials *credentials)
{
	if (credentials == NULL)
		return;
	credentials_forget(credentials);
	if (credentials->refusals != NULL)
		(void)munmap(credentials->refusals,
		    credentials->refusals->size_bytes);
	free(credentials->entries);
	free(credentials);
}

/* ---- a relay's line ------------------------------------------------------ */

const struct credential *
credentials_find(const struct credentials *credentials, const char *host,
    int port)
{
	const struct credential *found = NULL;

	for (size_t i = 0; i < credentials->count; i++) {
		const struct credential *entry = &credentials->entries[i];

		if (strcasecmp(entry->host, host) != 0)
			continue;
		if (entry->port == port)
			return entry;
		if (entry->port == 0)
			found = entry;
	}
	return found;
}

static size_t
slot_of(const struct credentials *credentials,
    const struct credential *credential)
{
	return credential != NULL ? (size_t)(credential - credentials->entries)
				  : credentials->count;
}

bool
credentials_note_refusal(const struct credentials *credentials,
    const struct credential *credential)
{
	size_t slot = slot_of(credentials, credential);

	credentials->refusals->slots[slot].until_mono_ms =
	    clock_mono_ms() + REFUSED_MS;
	return !atomic_exchange(&credentials->refusals->slots[slot].was_refused,
	    true);
}

bool
credentials_are_refused(const struct credentials *credentials,
    const struct credential *credential)
{
	size_t slot = slot_of(credentials, credential);

	return clock_mono_ms() <
	    credentials->refusals->slots[slot].until_mono_ms;
}
