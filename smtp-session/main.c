/* SPDX-License-Identifier: ISC */

/*
 * main.c - smtp-session: one SMTP dialogue on standard input and output.
 *
 * Started by systemd or inetd for each connection. Refuses who is not local,
 * reads the configuration, holds the dialogue. See smtp-session(8).
 */

#include "config.h"

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/settings.h"
#include "lib/stream.h"
#include "lib/tlsmodule.h"
#include "smtp-session/peer.h"
#include "smtp-session/reply.h"
#include "smtp-session/session.h"

#define SEND_TIMEOUT_MS (300 * 1000)

/* Promise P4: not a word to who is not on this host. */
static void
require_local_peer(const struct peer *peer)
{
	if (peer->is_local)
		return;
	if (peer->is_gone)
		exit(EX_OK);
	audit_open("smtp-session", false);
	audit_write(&(struct audit_record){
	    .event = AUDIT_PEER_REFUSED,
	    .peer = peer->text,
	    .reason = "not on this host",
	});
	exit(EX_OK);
}

/* The client is to try again when somebody has put the configuration right. */
static void
say_not_configured(struct stream *stream)
{
	static const struct reply reply = { 421, "4.3.5",
		"not configured correctly, closing", true };

	if (reply_put(stream, &reply) == 0)
		(void)stream_flush(stream);
}

int
main(int argc, char *argv[])
{
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE];
	struct peer peer;
	struct stream *stream;
	int r;

	(void)argv;
	if (argc > 1)
		errx(EX_USAGE, "takes no arguments; see smtp-session(8)");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* write(2) tells */
	peer_identify(STDIN_FILENO, &peer);
	require_local_peer(&peer);
	r = stream_open(STDIN_FILENO, STDOUT_FILENO, SEND_TIMEOUT_MS, &stream);
	if (r < 0)
		errc(EX_TEMPFAIL, -r, "stream");
	if (settings_load(&settings, error) < 0) {
		say_not_configured(stream);
		errx(EX_CONFIG, "%s", error);
	}
	audit_open("smtp-session", settings.is_debug);
	if (settings.tls_cert != NULL)
		tls_module_load();
	session_run(stream, &settings, &peer);
	stream_free(stream);
	return EX_OK;
}
