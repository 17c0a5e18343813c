/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_ATTEMPTS_H
#define SPOOL_ATTEMPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What became of a recipient. */
enum outcome {
	OUTCOME_NONE, /* not tried yet */
	OUTCOME_DELIVERED,
	OUTCOME_DEFERRED,
	OUTCOME_FAILED,
};

/* What the sender was told of that outcome, by a DSN. */
enum told {
	TOLD_NO, /* nothing */
	TOLD_OWED, /* nothing yet: a DSN is still to be sent */
	TOLD_YES,
};

/* Both are one word in an attempt file:
 *
 *		NO		OWED		YES
 *	DELIVERED	delivered	relayed		delivered
 *	DEFERRED	deferred			delayed
 *	FAILED		failed				returned
 */
struct recipient_state {
	enum outcome outcome;
	enum told told;
};

/* The longest line of an attempt file, with its newline and a NUL. */
#define ATTEMPT_LINE_SIZE 1024
#define ATTEMPT_STATUS_SIZE 12
#define ATTEMPT_PART_SIZE 301

/* One line of an attempt file. */
struct attempt {
	int64_t time_real_ms;
	unsigned number; /* of the attempt, from 1; 0: before the first */
	size_t recipient; /* index in the envelope, from 0 */
	struct recipient_state state;
	char status[ATTEMPT_STATUS_SIZE]; /* RFC 3463, such as 4.4.1 */
	char detail[ATTEMPT_LINE_SIZE]; /* the host and its reply, or why */
	bool is_untried; /* for claim_record(): there was no attempt */
};

/* Return the word for a state; "none" without one. */
const char *state_name(struct recipient_state state);

/* Whether no more attempt is made for a recipient. */
static inline bool
is_final(enum outcome outcome)
{
	return outcome == OUTCOME_DELIVERED || outcome == OUTCOME_FAILED;
}

/* The parts of a detail; "" for one that is not there. */
struct attempt_detail {
	char host[ATTEMPT_PART_SIZE]; /* "mx.example.org[192.0.2.1]" */
	char reason[ATTEMPT_PART_SIZE]; /* in our words */
	char reply[ATTEMPT_PART_SIZE]; /* of the host: "550 5.1.1 Nobody" */
};

/* Join an attempt's detail from its parts, and split it again. Parts that are
 * too long are cut. */
void attempt_set_detail(struct attempt *attempt, const char *host,
    const char *reason, const char *reply);
void attempt_get_detail(const struct attempt *attempt,
    struct attempt_detail *ret_detail);

/* Write an attempt as a line. A detail that is too long is cut; control
 * characters in it become spaces. Returns the line's length. */
size_t attempt_render(const struct attempt *attempt,
    char ret_line[ATTEMPT_LINE_SIZE]);

/*
 * Read the line at the start of a text.
 *
 * ret_used	octets of the line, with its newline; set for damaged lines too.
 *
 * Returns 0, -EBADMSG for a damaged line, or -EAGAIN for one without a newline:
 * a crash has cut it short.
 */
int attempt_parse(const char *text, size_t length, struct attempt *ret_attempt,
    size_t *ret_used);

#endif
