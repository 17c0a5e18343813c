/* SPDX-License-Identifier: ISC */

/*
 * scram.c - the exchange of RFC 7677 section 3, to the letter; hosts that
 * deviate from it get no proof, or are not authenticated.
 */

#include "config.h"

#include <errno.h>

#include "smtp-deliver/client/scram.h"
#include "t/unit/tap.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NONCE "rOprNGfwEbeRWgbNEkqO"
#define BOTH NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SIGNATURE "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X300 X50 X50 X50 X50 X50 X50

static const char first[] = "r=" BOTH ",s=" SALT ",i=4096";

/* clang-format off */
static const char *const bad_firsts[] = {
	"",
	"r=",
	"r=" NONCE ",s=" SALT ",i=4096",
	"r=rOprNGfwEbeRWgbNEkqo" "more,s=" SALT ",i=4096",
	"r=" NONCE " x,s=" SALT ",i=4096",
	"r=" NONCE X300 ",s=" SALT ",i=4096",
	"m=ext,r=" BOTH ",s=" SALT ",i=4096",
	"s=" SALT ",r=" BOTH ",i=4096",
	"r=" BOTH,
	"r=" BOTH ",",
	"r=" BOTH ",s=,i=4096",
	"r=" BOTH ",s=no-base64,i=4096",
	"r=" BOTH ",s=" SALT,
	"r=" BOTH ",s=" SALT ",i=",
	"r=" BOTH ",s=" SALT ",i=4095",
	"r=" BOTH ",s=" SALT ",i=1000001",
	"r=" BOTH ",s=" SALT ",i=99999999999999999999",
	"r=" BOTH ",s=" SALT ",i=-4096",
	"r=" BOTH ",s=" SALT ",i= 4096",
	"r=" BOTH ",s=" SALT ",i=4096x",
	"e=other-error",
};

static const char *const bad_finals[] = {
	"",
	"v=",
	"v=" PROOF,
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4",
	"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=6rri",
	"v=6rri",
	" v=" SIGNATURE,
	"e=invalid-proof",
};

static const struct { const char *user, *expected; } names[] = {
	{ "user", "n,,n=user,r=" NONCE },
	{ "a=b,c", "n,,n=a=3Db=2Cc,r=" NONCE },
	{ "user@example.org", "n,,n=user@example.org,r=" NONCE },
	{ "b\xc3\xbc" "cher", "n,,n=b\xc3\xbc" "cher,r=" NONCE },
};
/* clang-format on */

int
main(void)
{
	char message[SCRAM_MESSAGE_SIZE];
	struct scram scram;

	for (size_t i = 0; i < COUNT(names); i++) {
		is_int(scram_begin(&scram, names[i].user, NONCE, message), 0,
		    "%s gets a first message", names[i].user);
		is_str(message, names[i].expected, "which is %s",
		    names[i].expected);
	}
	is_int(scram_begin(&scram, X300 X300 X300 X300, NONCE, message),
	    -EPROTO, "a name that is too long does not get one");

	need(scram_begin(&scram, "user", NONCE, message) == 0);
	is_int(scram_answer(&scram, "pencil", first, message), 0,
	    "the host's first message gets an answer");
	is_str(message, "c=biws,r=" BOTH ",p=" PROOF, "with the proof");
	ok(!scram.is_proven, "the host is not authenticated yet");
	for (size_t i = 0; i < COUNT(bad_finals); i++) {
		struct scram copy = scram;

		is_int(scram_check(&copy, bad_finals[i]), -EPROTO,
		    "\"%s\" does not authenticate it", bad_finals[i]);
		ok(!copy.is_proven && copy.problem != NULL,
		    "and the problem is named");
	}
	is_int(scram_check(&scram, "v=" SIGNATURE ",x=more"), 0,
	    "its signature is accepted");
	ok(scram.is_proven, "and the host is authenticated");

	for (size_t i = 0; i < COUNT(bad_firsts); i++) {
		need(scram_begin(&scram, "user", NONCE, message) == 0);
		is_int(scram_answer(&scram, "pencil", bad_firsts[i], message),
		    -EPROTO, "\"%s\" gets no proof", bad_firsts[i]);
		ok(scram.problem != NULL, "because %s",
		    scram.problem != NULL ? scram.problem : "?");
	}
	need(scram_begin(&scram, "user", NONCE, message) == 0);
	is_int(scram_answer(&scram, "pencil",
		   "r=" BOTH ",s=" SALT ",i=4096,x=y", message),
	    0, "an optional extension is ignored");
	return done_testing();
}
