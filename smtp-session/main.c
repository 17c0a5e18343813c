/* SPDX-License-Identifier: ISC */

/*
 * main.c - smtp-session: one SMTP dialogue on standard input and output.
 *
 * Started by systemd or inetd for each connection. Refuses clients that are not
 * local, reads the configuration, holds the dialogue. Given listening sockets,
 * does so for each of their clients in a child. See smtp-session(8).
 */

#include "config.h"

#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/environment.h"
#include "lib/privileges.h"
#include "lib/secret.h"
#include "lib/spool/fault.h"
#include "lib/spool/spool.h"
#include "lib/stream.h"
#include "lib/submitter.h"
#include "lib/tls.h"
#include "lib/tlsmodule.h"
#include "lib/usage.h"
#include "smtp-session/listener.h"
#include "smtp-session/systemd.h"
#include "smtp-session/peer.h"
#include "smtp-session/reply.h"
#include "smtp-session/dialogue.h"
#include "smtp-session/sandbox.h"
#include "smtp-session/settings.h"

#define SEND_TIMEOUT_MS (300 * 1000)

static const char usage[] =
    "usage: smtp-session [--check | --help | --version]\n"
    "Holds an SMTP dialogue on standard input and "
    "output, or listens on\n"
    "sockets that it inherits. See smtp-session(8).\n";

static const struct reply reply_not_configured = { 421, "4.3.5",
	"configuration error on this host, closing", true };

/* Move the listening socket away from standard input and output. */
static int
move_standard_input(void)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd == -1 || null_fd == -1 || dup2(null_fd, STDIN_FILENO) == -1 ||
	    dup2(null_fd, STDOUT_FILENO) == -1)
		err(EX_OSERR, "standard input");
	close(null_fd);
	return fd;
}

/* A descriptor that nothing would accept clients of wakes systemd for ever. */
static void
check_passed(int first_fd, int count)
{
	int listening = 0;

	for (int fd = first_fd; fd < first_fd + count; fd++) {
		if (is_listening(fd))
			listening++;
		else if (!is_netlink(fd))
			errx(EX_USAGE, "descriptor %d does not listen", fd);
	}
	if (count > 0 && listening == 0)
		errx(EX_USAGE, "no socket to listen on was passed");
	if (listening > LISTENER_SOCKETS_MAX)
		errx(EX_USAGE, "%d sockets were passed; expected %d at most",
		    listening, LISTENER_SOCKETS_MAX);
}

/* Take a descriptor out of a row: the last one gets its place. Returns where it
 * is now. */
static int
take_out(int fd, int last_fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, last_fd + 1);

	if (copy == -1 || (fd != last_fd && dup3(last_fd, fd, O_CLOEXEC) == -1))
		err(EX_OSERR, "LISTEN_FDS");
	close(last_fd);
	return copy;
}

/* Take the sockets to identify clients by out of the row, and keep one of them.
 * They are where the units and their drop-ins have them. Returns its
 * descriptor, or -1 if there is none. */
static int
take_netlink(int first_fd, int *count)
{
	int netlink_fd = -1;

	for (int fd = first_fd + *count - 1; fd >= first_fd; fd--) {
		if (!is_netlink(fd))
			continue;
		if (netlink_fd >= 0)
			close(netlink_fd);
		netlink_fd = take_out(fd, first_fd + --*count);
	}
	return netlink_fd;
}

/* Sockets that listen: systemd's, or standard input as inetd has it for
 * "wait". None if this is for one client. Among systemd's there may be one to
 * identify clients by: a network namespace of our own has no other. */
static struct listener_sockets
take_sockets(void)
{
	struct listener_sockets sockets = { -1, 0, -1 };
	int count = systemd_take_sockets(&sockets.first_fd);

	if (count < 0)
		errc(EX_USAGE, -count, "LISTEN_FDS");
	check_passed(sockets.first_fd, count);
	sockets.netlink_fd = take_netlink(sockets.first_fd, &count);
	submitter_drain_netlink(sockets.netlink_fd);
	sockets.count = (size_t)count;
	if (sockets.count == 0 && is_listening(STDIN_FILENO))
		sockets =
		    (struct listener_sockets){ move_standard_input(), 1, -1 };
	if (sockets.count > 0 && sockets.netlink_fd < 0)
		sockets.netlink_fd = submitter_open_netlink();
	return sockets;
}

static struct stream *
open_stream(int in_fd, int out_fd)
{
	struct stream *stream;
	int r = stream_open(in_fd, out_fd, SEND_TIMEOUT_MS, &stream);

	if (r < 0)
		errc(EX_TEMPFAIL, -r, "stream");
	return stream;
}

/* Defer the client until the configuration is corrected. */
static void
say_not_configured(void)
{
	struct stream *stream = open_stream(STDIN_FILENO, STDOUT_FILENO);

	if (reply_put(stream, &reply_not_configured) == 0)
		(void)stream_flush(stream);
	stream_free(stream);
}

/* Root must not leave files in the spool that its owner cannot use. */
static void
become_spool_owner(const struct session_settings *settings)
{
	int r = privileges_become_owner(settings->queue_path);

	if (r < 0)
		errc(EX_TEMPFAIL, -r, "%s", settings->queue_path);
}

/* A reply does not wait for more. NoDelay= of the socket units would warn about
 * those of their sockets that are not TCP. */
static void
send_at_once(int fd)
{
	static const int yes = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

static void
hold_session(int in_fd, int out_fd, const struct session_settings *settings,
    const struct peer *peer)
{
	struct stream *stream = open_stream(in_fd, out_fd);

	send_at_once(out_fd);
	dialogue_hold(stream, settings, peer);
	stream_free(stream);
}

/* In a child of the listener. */
static void
serve_client(int fd, const struct session_settings *settings,
    const struct peer *peer)
{
	struct peer client = *peer;

	submitter_find_unit(fd, &client.submitter);
	hold_session(fd, fd, settings, &client);
}

/* settings is NULL if they cannot be understood. */
static void
serve_clients(const struct listener_sockets *sockets,
    const struct session_settings *settings)
{
	int r;

	if (settings == NULL) {
		listener_turn_away(sockets, &reply_not_configured);
		submitter_drain_netlink(sockets->netlink_fd);
		return;
	}
	tzset(); /* else gmtime_r(3) reads a file in each child */
	become_spool_owner(settings);
	audit_write_unknown_variables();
	sandbox_enter_listener(settings);
	if ((r = listener_run(sockets, settings, serve_client)) < 0)
		errc(EX_OSERR, -r, "listening");
	submitter_drain_netlink(sockets->netlink_fd);
}

/* Likewise. */
static void
serve_one(const struct session_settings *settings)
{
	struct peer peer;

	peer_identify(STDIN_FILENO, -1, &peer);
	if (!peer_admit(&peer))
		return;
	if (settings == NULL) {
		say_not_configured();
		return;
	}
	submitter_find_unit(STDIN_FILENO, &peer.submitter);
	become_spool_owner(settings);
	hold_session(STDIN_FILENO, STDOUT_FILENO, settings, &peer);
}

/* No mail is accepted until a setting is corrected: /healthz shows that. */
_Noreturn static void
end_misconfigured(const char *error)
{
	const char *path = settings_get("SMTP_QUEUE_PATH", SETTINGS_QUEUE_PATH);

	if (privileges_become_owner(path) == 0)
		(void)fault_leave(path, FAULT_SESSION, error);
	if (audit_write_setting(error))
		exit(EX_CONFIG);
	errx(EX_CONFIG, "%s", error);
}

/* A session reads them as the user of the spool; credentials it gets from root,
 * here as from systemd in units. */
static void
check_readable(const char *path)
{
	if (!secret_is_credential(path) &&
	    faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == -1)
		err(EX_CONFIG, "SMTP_TLS_CERT and SMTP_TLS_KEY: %s", path);
}

/* The certificate and the key, as each session reads them. */
static void
check_identity(const struct session_settings *settings)
{
	struct tls_identity *identity;
	struct tls_result result;

	if (*settings->tls_cert == '\0')
		return;
	check_readable(settings->tls_cert);
	check_readable(settings->tls_key);
	privileges_act_as_self();
	tls_module_load();
	if (tls_identity_load(settings->tls_cert, settings->tls_key, &identity,
		&result) < 0)
		errx(EX_CONFIG, "SMTP_TLS_CERT and SMTP_TLS_KEY: %s",
		    result.error);
	tls_identity_free(identity);
}

/* Load the settings: without a unit, as from inetd, those of the units. */
static int
load_settings(struct session_settings *ret_settings,
    char ret_error[SETTINGS_ERROR_SIZE])
{
	enum environment_origin origin;
	int r = environment_load(&origin);

	if (r < 0) {
		(void)settings_fail(ret_error, "%s: %s", environment_path(),
		    strerror(-r));
		return r;
	}
	return session_settings_load(ret_settings, ret_error);
}

/* --check: tell whether the settings can be used. */
static int
check(void)
{
	struct session_settings settings;
	char error[SETTINGS_ERROR_SIZE];
	int r = load_settings(&settings, error);

	audit_open("smtp-session", false);
	audit_write_unknown_variables();
	if (r < 0)
		errx(EX_CONFIG, "%s", error);
	if ((r = privileges_act_as_owner(settings.queue_path)) < 0)
		errc(EX_TEMPFAIL, -r, "%s", settings.queue_path);
	if (spool_take_key(settings.queue_key_path, error) < 0)
		errx(EX_CONFIG, "%s", error);
	check_identity(&settings);
	(void)puts("smtp-session can use its settings");
	return EX_OK;
}

int
main(int argc, char *argv[])
{
	struct listener_sockets sockets;
	struct session_settings settings;
	char error[SETTINGS_ERROR_SIZE];
	bool is_configured;
	int r = usage_answer(argc, argv, "smtp-session", usage);

	if (r != 0)
		return r < 0 ? EX_IOERR : EX_OK;
	if (argc == 2 && strcmp(argv[1], "--check") == 0)
		return check();
	if (argc > 1) {
		(void)fputs(usage, stderr);
		return EX_USAGE;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* write(2) fails with EFBIG */
	is_configured = load_settings(&settings, error) == 0 &&
	    spool_take_key(settings.queue_key_path, error) == 0;
	audit_open("smtp-session", is_configured && settings.is_debug);
	/* Once for all children of a listener. */
	if (is_configured && *settings.tls_cert != '\0')
		tls_module_load();

	sockets = take_sockets();
	if (sockets.count > 0)
		serve_clients(&sockets, is_configured ? &settings : NULL);
	else
		serve_one(is_configured ? &settings : NULL);
	if (!is_configured)
		end_misconfigured(error);
	return EX_OK;
}
