/* SPDX-License-Identifier: ISC */

/*
 * envelope.c - the block before a stored message: an envelope that was parsed
 * is unchanged after it is rendered and parsed again.
 */

#include "config.h"

#include <errno.h>

#include "lib/spool/envelope.h"
#include "t/fuzz/fuzz.h"

static void
check_same_text(const char *a, const char *b)
{
	must((a == NULL) == (b == NULL));
	must(a == NULL || strcmp(a, b) == 0);
}

static void
check_same_recipient(const struct envelope *a, const struct envelope *b,
    size_t i)
{
	must(strcmp(a->recipients[i], b->recipients[i]) == 0);
	must(a->requests[i].notify == b->requests[i].notify);
	check_same_text(a->requests[i].orcpt, b->requests[i].orcpt);
}

static void
check_same(const struct envelope *a, const struct envelope *b)
{
	must(strcmp(a->id, b->id) == 0);
	must(strcmp(a->sender, b->sender) == 0);
	must(a->recipient_count == b->recipient_count);
	for (size_t i = 0; i < a->recipient_count; i++)
		check_same_recipient(a, b, i);
	must(a->dsn_return == b->dsn_return);
	check_same_text(a->envid, b->envid);
	must(a->is_8bitmime == b->is_8bitmime);
	must(a->is_smtputf8 == b->is_smtputf8);
}

/* Render the block and its seal; the caller frees the text. */
static char *
render(const struct envelope *envelope, const struct envelope_seal *seal,
    size_t *ret_length)
{
	char *text, *block;
	size_t length;

	must(envelope_render(envelope, &text, &length) == 0);
	must((block = malloc(length + ENVELOPE_SEAL_SIZE + 1)) != NULL);
	memcpy(block, text, length);
	envelope_render_seal(seal, block + length);
	free(text);
	*ret_length = length + ENVELOPE_SEAL_SIZE;
	must(strlen(block) == *ret_length);
	must(*ret_length <= ENVELOPE_BLOCK_MAX);
	return block;
}

static void
check_round_trip(const struct envelope *envelope,
    const struct envelope_seal *seal)
{
	struct envelope again;
	struct envelope_seal seal_again;
	size_t length, used;
	char *block = render(envelope, seal, &length);

	must(envelope_parse(block, length, &again, &seal_again, &used) == 0);
	must(used == length);
	check_same(&again, envelope);
	must(seal_again.size_bytes == seal->size_bytes);
	must(seal_again.checksum == seal->checksum);
	envelope_clear(&again);

	/* Without its last octet the block is damaged. */
	must(envelope_parse(block, length - 1, &again, &seal_again, &used) ==
	    -EBADMSG);
	free(block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = fuzz_copy(data, size);
	struct envelope envelope;
	struct envelope_seal seal;
	size_t used;
	int r = envelope_parse(copy, size, &envelope, &seal, &used);

	if (r == 0) {
		must(used <= size && is_id(envelope.id));
		must(envelope_parse_notes(copy + used, size - used,
			 &envelope) <= size - used);
		must(envelope.sender != NULL && envelope.recipient_count > 0);
		check_round_trip(&envelope, &seal);
		envelope_clear(&envelope);
	} else {
		must(r == -EBADMSG);
		must(envelope.sender == NULL && envelope.recipients == NULL);
	}
	free(copy);
	return 0;
}
