/* SPDX-License-Identifier: ISC */

/*
 * target.c - which host and which path a request is for, and which hosts are
 * this one.
 */

#include "config.h"

#include "smtp-health/target.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X511 X100 X100 X100 X100 X100 X10 "x"

/* clang-format off */
static const struct { const char *target, *authority, *path; } targets[] = {
	{ "/healthz", "", "/healthz" },
	{ "/", "", "/" },
	{ "*", "", "*" },
	{ "", "", "" },
	{ "//localhost/healthz", "", "//localhost/healthz" },
	{ "http://localhost/healthz", "localhost", "/healthz" },
	{ "HTTP://LocalHost:8080/healthz", "LocalHost:8080", "/healthz" },
	{ "http://[::1]:8080/metrics", "[::1]:8080", "/metrics" },
	{ "http://localhost", "localhost", "/" },
	{ "http://localhost//healthz", "localhost", "//healthz" },
	{ "http:///healthz", "", "/healthz" },
	{ "http://", "", "/" },
	{ "http:/healthz", "", "http:/healthz" },
	{ "https://localhost/healthz", "", "https://localhost/healthz" },
	{ "http://" X511 "/healthz", X511, "/healthz" },
	{ "http://" X511 "x/healthz", X511, "/healthz" },
};

static const struct { const char *authority; bool is_ours; } authorities[] = {
	{ "localhost", true },
	{ "localhost:8080", true },
	{ "localhost:", true },
	{ "LOCALHOST.", true },
	{ "localhost.:8080", true },
	{ "127.0.0.1", true },
	{ "127.0.0.1:8080", true },
	{ "192.0.2.1:8080", true },
	{ "[::1]", true },
	{ "[::1]:8080", true },
	{ "[2001:db8::1]:", true },
	{ "mail.example.org", true },
	{ "Mail.Example.ORG.:9090", true },
	{ "mail", true },
	{ "", false },
	{ ":8080", false },
	{ ".", false },
	{ "localhost..", false },
	{ "localhost:http", false },
	{ "localhost:80:80", false },
	{ "localhost.attacker.example", false },
	{ "attacker.example", false },
	{ "127.0.0.1.attacker.example", false },
	{ "127.0.0.1.", false },
	{ "127.1", false },
	{ "::1", false },
	{ "[127.0.0.1]", false },
	{ "[::1", false },
	{ "[]", false },
	{ "[", false },
	{ "[::1]x", false },
	{ "[::1%lo]", false },
	{ "user@localhost", false },
	{ " localhost", false },
	{ "mail.example.org.attacker.example", false },
	{ "mail.example", false },
	{ "xmail", false },
	{ X511, false },
	{ X511 "x", false },
};
/* clang-format on */

int
main(void)
{
	static const char *const names[] = { "mail.example.org", "mail", NULL };
	char authority[TARGET_AUTHORITY_SIZE];

	for (size_t i = 0; i < COUNT(targets); i++) {
		is_str(target_split(targets[i].target, authority),
		    targets[i].path, "the path of \"%.40s\"",
		    targets[i].target);
		is_str(authority, targets[i].authority, "and its authority");
	}
	for (size_t i = 0; i < COUNT(authorities); i++)
		is_int(target_is_ours(authorities[i].authority, names),
		    authorities[i].is_ours, "\"%.40s\"",
		    authorities[i].authority);
	return done_testing();
}
