/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_ENVELOPE_H
#define SPOOL_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/dsn.h"
#include "lib/id.h"
#include "lib/submitter.h"

/* RFC 5321 section 4.5.3.1.8 requires at least 100. */
#define ENVELOPE_RECIPIENTS_MAX 1000

/* No block is larger, with its notes: up to three lines per recipient and a few
 * more. */
#define ENVELOPE_BLOCK_MAX (ENVELOPE_RECIPIENTS_MAX * 900 + 4096)

/* "X-Smtpserver-Content: size=000000001234 xxh3=0123456789abcdef\r\n" */
#define ENVELOPE_SEAL_SIZE 63

/* With a NUL; see envelope_render_notes(). */
#define ENVELOPE_NOTES_SIZE (SUBMITTER_TEXT_SIZE + 32)

/*
 * A message's sender, recipients and SMTP parameters. The envelope owns all
 * strings; envelope_clear() frees them.
 */
struct envelope {
	char id[ID_SIZE];
	char *sender; /* "" for the null reverse-path; NULL: not set yet */
	char **recipients;
	size_t recipient_count;
	struct dsn_request *requests; /* one for each recipient */
	enum dsn_return dsn_return; /* RET (RFC 3461) */
	char *envid; /* ENVID as it was given, or NULL */
	bool is_8bitmime; /* BODY=8BITMIME was given (RFC 6152) */
	bool is_smtputf8; /* SMTPUTF8 was given (RFC 6531) */
	bool is_requiretls; /* REQUIRETLS was given (RFC 8689) */
	struct submitter submitter;
};

/* Tells a whole message from a torn one. */
struct envelope_seal {
	uint64_t size_bytes; /* of all that follows the seal */
	uint64_t checksum; /* XXH3-64 of the block's other lines and of it */
};

void envelope_clear(struct envelope *envelope);

/* Return 0, -ENOMEM, or -E2BIG for more than ENVELOPE_RECIPIENTS_MAX. A
 * recipient that the envelope has already is not added again. */
int envelope_set_sender(struct envelope *envelope, const char *address);
int envelope_add_recipient(struct envelope *envelope, const char *address);

bool envelope_has_recipient(const struct envelope *envelope,
    const char *address);

/* Add a recipient with its DSN parameters. For a recipient that the envelope
 * has already the first parameters count. On error the envelope is
 * unchanged. */
int envelope_add_request(struct envelope *envelope, const char *address,
    unsigned notify, const char *orcpt);

/* Set ENVID unless it is set already; NULL is ignored. Returns 0 or -ENOMEM. */
int envelope_set_envid(struct envelope *envelope, const char *envid);

/*
 * Write the block that precedes a stored message, without its last line, the
 * seal. They are header lines, which any mail reader shows.
 *
 * ret_text	the caller frees it.
 *
 * Returns 0 or -ENOMEM.
 */
int envelope_render(const struct envelope *envelope, char **ret_text,
    size_t *ret_length);
void envelope_render_seal(const struct envelope_seal *seal,
    char ret_text[ENVELOPE_SEAL_SIZE + 1]);

/*
 * Read a block back.
 *
 * text		the beginning of a stored message: all of it, or
 *		ENVELOPE_BLOCK_MAX octets. Need not end in a NUL.
 * ret_length	octets of the block with its seal.
 *
 * Returns 0, -ENOMEM, or -EBADMSG if the text is not a whole block. On error
 * ret_envelope is empty.
 */
int envelope_parse(const char *text, size_t length,
    struct envelope *ret_envelope, struct envelope_seal *ret_seal,
    size_t *ret_length);

/*
 * Write the notes, which follow the seal: "" if there are none. They are what a
 * message can be delivered without. Programs of versions that do not know notes
 * take them for header fields of the message, and deliver it with them. Returns
 * their length.
 */
size_t envelope_render_notes(const struct envelope *envelope,
    char ret_text[ENVELOPE_NOTES_SIZE]);

/*
 * Read notes back. Those that this version does not know are skipped, and those
 * that are damaged.
 *
 * text		what follows the seal. Need not end in a NUL.
 *
 * Returns how many octets of it are notes.
 */
size_t envelope_parse_notes(const char *text, size_t length,
    struct envelope *envelope);

#endif
