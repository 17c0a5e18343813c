/* SPDX-License-Identifier: ISC */

/*
 * credentials.c - lines of SMTP_AUTH_FILE: errors name the line, and never
 * contain its text; a line for the port takes precedence over one for any port.
 */

#include "config.h"

#include <errno.h>

#include "smtp-deliver/client/credentials.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X300 X50 X50 X50 X50 X50 X50
#define X1500 X300 X300 X300 X300 X300
#define X9000 X1500 X1500 X1500 X1500 X1500 X1500

/* clang-format off */

/* A line, and its meaning: host, port, mechanisms, user, secret. */
static const struct { const char *text, *expected; } rows[] = {
	{ "relay.example password me secret", "relay.example 0 7 me secret" },
	{ "[relay.example] plain me secret", "relay.example 0 2 me secret" },
	{ "[192.0.2.1]:587 LOGIN me secret", "192.0.2.1 587 4 me secret" },
	{ "[IPv6:2001:db8::1] login me secret", "2001:db8::1 0 4 me secret" },
	{ "relay.example:465 scram-sha-256 me@example.org s", "relay.example 465 1 me@example.org s" },
	{ "\t relay.example\t password\tme  correct horse, battery # staple", "relay.example 0 7 me correct horse, battery # staple" },
	{ "relay.example xoauth2 me ya29.a-b_c~d+e/f==", "relay.example 0 8 me ya29.a-b_c~d+e/f==" },
	{ "B\xc3\xbc" "cher.example password me secret", "xn--bcher-kva.example 0 7 me secret" },
	{ "relay.example password me \xc3\xbc", "relay.example 0 7 me \xc3\xbc" },
	/* RFC 8265 section 4.2: composed. */
	{ "relay.example password me u\xcc\x88", "relay.example 0 7 me \xc3\xbc" },
	{ "relay.example password me " X1500, "relay.example 0 7 me " X1500 },
};

/* Invalid files, and the beginnings of the errors. */
static const struct { const char *text, *expected; } errors[] = {
	{ "relay.example", "line 1: expected password, scram" },
	{ "\n\n192.0.2.1 password me secret", "line 3: expected a host" },
	{ "# comment\nrelay..example password me secret", "line 2: expected a host" },
	{ "relay.example:x password me secret", "line 1: expected a host" },
	{ "a.example,b.example password me secret", "line 1: expected a host" },
	{ X300 X300 " password me secret", "line 1: expected a host" },
	{ "relay.example me secret", "line 1: expected password, scram" },
	{ "relay.example cram-md5 me secret", "line 1: expected password, scram" },
	{ "relay.example password", "line 1: expected a user" },
	{ "relay.example password \xff secret", "line 1: expected a user" },
	{ "relay.example password m\001e secret", "line 1: expected a user" },
	{ "relay.example password " X300 " secret", "line 1: expected a user" },
	{ "relay.example password me", "line 1: expected a secret" },
	{ "relay.example password me ", "line 1: expected a secret" },
	{ "relay.example password me secret ", "line 1: expected no blank" },
	{ "relay.example password me secret\r\n", "line 1: expected a password" },
	{ "relay.example password me \xff", "line 1: expected a password" },
	{ "relay.example xoauth2 me a b", "line 1: expected a token" },
	{ "relay.example xoauth2 me a\001b", "line 1: expected a token" },
	{ "relay.example password me " X9000, "line 1: expected a shorter line" },
	{ "a.example password me secret\nA.EXAMPLE plain me secret\n", "line 2: expected a host that no" },
	{ "a.example password me secret\n[a.example]:1 plain me secret\na.example:1 plain me secret", "line 3: expected a host that no" },
};
/* clang-format on */

static const char three[] = "# who we are\n"
			    "\n"
			    "a.example password any secret1\n"
			    "a.example:587 password submission secret2\n"
			    "b.example:587 password b secret3";

static void
check_found(const struct credentials *credentials, const char *host, int port,
    const char *user)
{
	const struct credential *found =
	    credentials_find(credentials, host, port);

	is_str(found != NULL ? found->user : "", user, "the user for %s:%d",
	    host, port);
}

static void
check_refusals(const struct credentials *credentials)
{
	const struct credential *a = &credentials->entries[0];

	ok(!credentials_are_refused(credentials, a),
	    "no credential is refused at first");
	ok(credentials_note_refusal(credentials, a),
	    "the first refusal is noted as such");
	ok(!credentials_note_refusal(credentials, a),
	    "a second one is not the first");
	ok(credentials_are_refused(credentials, a),
	    "the credential is refused");
	ok(!credentials_are_refused(credentials, a + 1),
	    "one of another line is not");
	ok(!credentials_are_refused(credentials, NULL), "nor is a missing one");
	ok(credentials_note_refusal(credentials, NULL),
	    "a refusal without a credential is noted");
}

int
main(void)
{
	char text[10000], error[SECRET_ERROR_SIZE] = "";
	struct credentials *credentials;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct credential *entry;

		is_int(credentials_parse(rows[i].text, strlen(rows[i].text),
			   &credentials, error),
		    0, "\"%.60s\" is accepted%s", rows[i].text, error);
		need(credentials->count == 1);
		entry = &credentials->entries[0];
		(void)snprintf(text, sizeof(text), "%s %u %u %s %s",
		    entry->host, entry->port, entry->mechanisms, entry->user,
		    entry->secret);
		is_str(text, rows[i].expected, "as %.60s", rows[i].expected);
		credentials_close(credentials);
	}
	for (size_t i = 0; i < COUNT(errors); i++) {
		is_int(credentials_parse(errors[i].text, strlen(errors[i].text),
			   &credentials, error),
		    -ENOKEY, "row %zu is refused", i);
		ok(strncmp(error, errors[i].expected,
		       strlen(errors[i].expected)) == 0,
		    "%s", error);
	}
	is_int(credentials_parse("a\0b", 3, &credentials, error), -ENOKEY,
	    "so is a NUL");

	need(credentials_parse(three, strlen(three), &credentials, error) == 0);
	is_int((int64_t)credentials->count, 3, "lines are counted");
	is_int(credentials->entries[2].line, 5, "and keep their numbers");
	check_found(credentials, "a.example", 25, "any");
	check_found(credentials, "A.example", 587, "submission");
	check_found(credentials, "b.example", 587, "b");
	check_found(credentials, "b.example", 25, "");
	check_found(credentials, "example", 587, "");
	check_found(credentials, "a.a.example", 587, "");
	check_refusals(credentials);
	credentials_close(credentials);

	need(credentials_parse("", 0, &credentials, error) == 0);
	is_int((int64_t)credentials->count, 0, "an empty file is valid");
	check_found(credentials, "a.example", 25, "");
	credentials_close(credentials);
	credentials_close(NULL);
	return done_testing();
}
