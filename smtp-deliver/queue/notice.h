/* SPDX-License-Identifier: ISC */

#ifndef NOTICE_H
#define NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a sender is told of. */
enum notice_kind {
	NOTICE_FAILED, /* will not be delivered: a bounce */
	NOTICE_DELAYED, /* is still being tried */
	NOTICE_RELAYED, /* went to a host that tells nobody what comes of it */
};

/* One of the recipients it is about. Texts may be anybody's, but end in a NUL;
 * "" for what there is none of. */
struct notice_recipient {
	const char *address;
	const char *orcpt; /* ORCPT as it was given (RFC 3461); NULL: not */
	const char *status; /* RFC 3463 */
	const char *host; /* "mx.example.org[192.0.2.1]" */
	const char *reply; /* the host's own words */
	const char *reason; /* ours */
	int64_t tried_ms; /* when that was */
	bool is_expired; /* it was the last of many tries */
};

struct notice {
	enum notice_kind kind;
	const char *id; /* the notice's own */
	const char *hostname; /* ours */
	const char *sender; /* who is told */
	const char *envid; /* ENVID as he gave it; NULL: not */
	int64_t now_ms;
	int64_t arrival_ms; /* when we got the message that it is about */
	int64_t until_ms; /* when it will be given up, if it is delayed */
	const struct notice_recipient *recipients;
	size_t recipient_count;
	const char *original; /* the header of that message, without the blank
			       * line, or all of it */
	size_t original_length;
	bool is_whole;
};

/*
 * Write a notice: a message of type multipart/report (RFC 6522) with a text for
 * people, a delivery status for programs (RFC 3464) and the message that it is
 * about, or the header of that. It is 7-bit but for such a whole message that is
 * not, and for a sender's address in UTF-8: then it takes SMTPUTF8 to send it
 * (RFC 6533).
 *
 * ret_text	the caller frees it.
 *
 * Returns 0 or -ENOMEM.
 */
int notice_render(const struct notice *notice, char **ret_text,
    size_t *ret_length);

#endif
