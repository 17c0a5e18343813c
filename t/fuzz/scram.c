/* SPDX-License-Identifier: ISC */

/*
 * scram.c - the two messages of a host, one line each: a proof is sent only to
 * a host that repeats our nonce, with a number of iterations within the limits,
 * and only the right signature authenticates a host.
 */

#include "config.h"

#include <errno.h>

#include "smtp-deliver/client/scram.h"
#include "t/fuzz/fuzz.h"

#define NONCE "rOprNGfwEbeRWgbNEkqO"

static unsigned iterations;

int __wrap_password_derive(const char *password, const void *salt,
    size_t salt_size, unsigned count, uint8_t ret_key[PASSWORD_HASH_SIZE]);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* The real function would take most of the run time. */
int
__wrap_password_derive(const char *password, const void *salt, size_t salt_size,
    unsigned count, uint8_t ret_key[PASSWORD_HASH_SIZE])
{
	must(strcmp(password, "pencil") == 0);
	must(salt_size > 0 && salt != NULL);
	iterations = count;
	memset(ret_key, 1, PASSWORD_HASH_SIZE);
	return 0;
}

static void
check_proof(const char *message)
{
	static const char beginning[] = "c=biws,r=" NONCE;

	must(iterations >= SCRAM_ITERATIONS_MIN &&
	    iterations <= SCRAM_ITERATIONS_MAX);
	must(strlen(message) < SCRAM_MESSAGE_SIZE);
	must(fuzz_is_printable(message, strlen(message)));
	must(strncmp(message, beginning, sizeof(beginning) - 1) == 0);
	must(strchr(message, 'p') != NULL && strstr(message, ",p=") != NULL);
	must(message[sizeof(beginning) - 1] != ',');
}

/* A signature, 32 octets other than zeros, cannot be found by chance. */
static void
check_belief(const struct scram *scram, int r)
{
	must(scram->is_proven == (r == 0));
	must(r == 0 || (r == -EPROTO && scram->problem != NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char message[SCRAM_MESSAGE_SIZE], *text = fuzz_text(data, size);
	char *final = text, *first = strsep(&final, "\n");
	struct scram scram;
	int r;

	iterations = 0;
	must(scram_begin(&scram, "user", NONCE, message) == 0);
	r = scram_answer(&scram, "pencil", first, message);
	must(!scram.is_proven);
	must(r == 0 || (r == -EPROTO && scram.problem != NULL));
	if (r == 0) {
		check_proof(message);
		check_belief(&scram,
		    scram_check(&scram, final != NULL ? final : ""));
	} else
		must(iterations == 0);
	free(text);
	return 0;
}
