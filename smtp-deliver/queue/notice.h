/* SPDX-License-Identifier: ISC */

#ifndef NOTICE_H
#define NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum notice_kind {
	NOTICE_FAILED, /* a bounce */
	NOTICE_DELAYED, /* delivery is still being tried */
	NOTICE_RELAYED, /* passed to a host that sends no DSN */
};

/* A recipient that a notice is about. Texts may have any octets but NUL; "" if
 * there is none. */
struct notice_recipient {
	const char *address;
	const char *orcpt; /* ORCPT of the client (RFC 3461), or NULL */
	const char *status; /* RFC 3463 */
	const char *host; /* "mx.example.org[192.0.2.1]" */
	const char *reply; /* of that host */
	const char *reason; /* in our words */
	int64_t tried_real_ms; /* the last attempt */
	bool is_expired; /* the message has expired */
};

struct notice {
	enum notice_kind kind;
	const char *id; /* the notice's own */
	const char *hostname; /* ours */
	const char *sender; /* of the message: gets the notice */
	const char *envid; /* ENVID of the client, or NULL */
	int64_t now_real_ms;
	int64_t arrival_real_ms; /* when the message was accepted */
	int64_t until_real_ms; /* when it expires */
	const struct notice_recipient *recipients;
	size_t recipient_count;
	const char *original; /* the header of the message, without the blank
			       * line, or the whole message */
	size_t original_length;
	bool is_whole;
};

/*
 * Write a notice: a message of type multipart/report (RFC 6522) with a text for
 * people, a delivery status for programs (RFC 3464), and the message or its
 * header. It is 7-bit, unless it has a whole message that is not; or the
 * sender's address has UTF-8, then it needs SMTPUTF8 (RFC 6533).
 *
 * ret_text	the caller frees it.
 *
 * Returns 0 or -ENOMEM.
 */
int notice_render(const struct notice *notice, char **ret_text,
    size_t *ret_length);

/*
 * Find the whole message in the text of a notice that has one. No client can
 * forge that: it does not know the id.
 *
 * id		the notice's own.
 *
 * Returns whether there is one.
 */
bool notice_find_whole(const char *id, const char *text, size_t length,
    const char **ret_original, size_t *ret_original_length);

/*
 * Make of a notice with a whole message one that is 7-bit and has the header of
 * that message only.
 *
 * original	as notice_find_whole() has found it within the text.
 * header_length	of the original.
 * ret_text	the caller frees it.
 *
 * Returns 0 or -ENOMEM.
 */
int notice_shorten(const char *id, const char *text, const char *original,
    size_t header_length, char **ret_text, size_t *ret_length);

#endif
