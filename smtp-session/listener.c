/* SPDX-License-Identifier: ISC */

/*
 * listener.c - accept clients, and start a child process for each.
 *
 *	accept --is there room?--> fork --> child: the session
 *	   |                         |
 *	   +--421, or no reply       +--> children[], until it is reaped
 *
 * One process that waits in poll(2) for clients and, by a signalfd, for ends of
 * children and for SIGTERM; it waits for nothing else. Reports to systemd and
 * to the audit trail are written at most once a second, so that reporting a
 * burst does not make it worse.
 *
 * The number of children is limited, in total and for each user of this host.
 */

#include "config.h"

#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/clock.h"
#include "smtp-session/listener.h"
#include "smtp-session/refusal.h"
#include "smtp-session/sandbox.h"
#include "smtp-session/systemd.h"
#include "smtp-session/stop.h"

#define BATCH_MAX 64 /* clients before signals are looked at again */
#define GONE_MAX 64 /* that many in a row have another reason */
#define PAUSE_MS 1000 /* while the kernel lacks resources for a client */
#define REPORT_MS 1000
#define STOP_MS (10 * 1000) /* the unit's TimeoutStopSec= is longer */
#define NEVER_MS INT64_MAX

struct child {
	pid_t pid;
	struct peer peer;
};

struct listener {
	const struct listener_sockets *sockets;
	const struct session_settings *settings;
	listener_serve *serve;
	int signal_fd;
	sigset_t child_mask; /* signals that are blocked in a child */
	struct child *children; /* room for settings->sessions */
	size_t child_count;
	struct refusals refusals;
	bool is_trouble_known; /* it is in the audit trail */
	bool is_stopping;
	/* No client came for so long, or the stop takes too long. */
	int64_t leave_mono_ms;
	int64_t accept_mono_ms; /* not before */
	int64_t report_mono_ms; /* NEVER_MS: there is nothing to report */
};

static void
log_trouble(struct listener *listener, const char *what, int error)
{
	if (listener->is_trouble_known)
		return;
	listener->is_trouble_known = true;
	audit_write_trouble(NULL, what, error);
}

/* ---- reports --------------------------------------------------------------*/

static void
plan_report(struct listener *listener)
{
	if (listener->report_mono_ms == NEVER_MS)
		listener->report_mono_ms = clock_mono_ms() + REPORT_MS;
}

static void
report(struct listener *listener)
{
	char status[80];

	listener->report_mono_ms = NEVER_MS;
	refusal_report(&listener->refusals);
	(void)snprintf(status, sizeof(status),
	    "STATUS=%zu sessions of %d at the most", listener->child_count,
	    listener->settings->sessions);
	systemd_notify(status);
}

/* ---- children -------------------------------------------------------------*/

static void
report_broken(const struct listener *listener, const struct child *child,
    int signal_number)
{
	bool is_killed = listener->is_stopping && signal_number == SIGKILL;
	char reason[128];

	(void)snprintf(reason, sizeof(reason), "process %d: signal %d, %s%s",
	    (int)child->pid, signal_number, strsignal(signal_number),
	    is_killed ? ", at the end of the time for a stop" : "");
	audit_write(&(struct audit_record){
	    .event = AUDIT_SESSION_BROKEN,
	    .peer = child->peer.text,
	    .submitter = &child->peer.submitter,
	    .reason = reason,
	});
}

static void
forget_child(struct listener *listener, pid_t pid, int status)
{
	struct child *child = listener->children;

	while (child->pid != pid)
		if (++child == listener->children + listener->child_count)
			return;
	if (WIFSIGNALED(status))
		report_broken(listener, child, WTERMSIG(status));
	*child = listener->children[--listener->child_count];
	if (listener->child_count == 0 && !listener->is_stopping)
		listener->leave_mono_ms = clock_mono_ms() +
		    (int64_t)listener->settings->idle_timeout_sec * 1000;
	plan_report(listener);
}

/* Take note of those that have ended; without WNOHANG, of all. */
static void
reap_children(struct listener *listener, int options)
{
	pid_t pid;
	int status;

	while (listener->child_count > 0 &&
	    (pid = waitpid(-1, &status, options)) > 0)
		forget_child(listener, pid, status);
}

static void
signal_children(const struct listener *listener, int signal_number)
{
	for (size_t i = 0; i < listener->child_count; i++)
		(void)kill(listener->children[i].pid, signal_number);
}

static void
close_sockets(const struct listener_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		close(sockets->first_fd + (int)i);
}

_Noreturn static void
become_child(struct listener *listener, int fd, const struct peer *peer)
{
	close_sockets(listener->sockets);
	close(listener->signal_fd);
	if (listener->sockets->netlink_fd >= 0)
		close(listener->sockets->netlink_fd);
	stop_on_sigterm(fd);
	(void)sigprocmask(SIG_SETMASK, &listener->child_mask, NULL);
	listener->serve(fd, listener->settings, peer);
	_exit(EX_OK);
}

/* ---- clients --------------------------------------------------------------*/

static void
refuse_client(struct listener *listener, int fd, const struct peer *peer,
    enum refusal refusal)
{
	refusal_turn_away(&listener->refusals, refusal, fd, peer);
	plan_report(listener);
}

static int
count_children(const struct listener *listener, const struct peer *peer)
{
	int count = 0;

	for (size_t i = 0; i < listener->child_count; i++)
		count += peer_is_same(peer, &listener->children[i].peer);
	return count;
}

static enum refusal
find_excess(const struct listener *listener, const struct peer *peer)
{
	if (listener->child_count >= (size_t)listener->settings->sessions)
		return REFUSAL_TOTAL;
	if (count_children(listener, peer) >=
	    listener->settings->sessions_per_client)
		return REFUSAL_CLIENT;
	return REFUSALS;
}

static void
start_child(struct listener *listener, int fd, const struct peer *peer)
{
	pid_t pid = fork();

	if (pid == 0)
		become_child(listener, fd, peer);
	if (pid == -1) {
		log_trouble(listener, "no process for a session", -errno);
		refuse_client(listener, fd, peer, REFUSAL_NO_PROCESS);
		return;
	}
	listener->children[listener->child_count++] =
	    (struct child){ pid, *peer };
	listener->is_trouble_known = false;
	listener->leave_mono_ms = NEVER_MS;
	plan_report(listener);
}

static void
admit_client(struct listener *listener, int fd)
{
	enum refusal refusal;
	struct peer peer;

	peer_identify(fd, listener->sockets->netlink_fd, &peer);
	if (!peer_admit(&peer))
		return;
	refusal = find_excess(listener, &peer);
	if (refusal != REFUSALS) {
		/* Some may have ended since signals were looked at. */
		reap_children(listener, WNOHANG);
		refusal = find_excess(listener, &peer);
	}
	if (refusal == REFUSALS)
		start_child(listener, fd, &peer);
	else
		refuse_client(listener, fd, &peer, refusal);
}

/* Whether accept(2) failed because of a client, which is gone already. */
static bool
is_error_of_client(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAGAIN:
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		return false;
	default:
		return true;
	}
}

/* Accept a client. Returns its descriptor, or a negative errno: -EAGAIN if
 * there is none, others if accept(2) fails for now. */
static int
accept_client(int listening_fd)
{
	int fd, gone = 0;

	do
		/* cppcheck-suppress nullPointer ; peer_identify() asks later */
		fd = accept4(listening_fd, NULL, NULL, SOCK_CLOEXEC);
	while (fd == -1 && is_error_of_client(errno) && ++gone < GONE_MAX);
	return fd >= 0 ? fd : -errno;
}

static void
accept_clients(struct listener *listener, int listening_fd)
{
	for (int i = 0; i < BATCH_MAX; i++) {
		int fd = accept_client(listening_fd);

		if (fd == -EAGAIN)
			return;
		if (fd < 0) {
			log_trouble(listener, "accepting a client", fd);
			listener->accept_mono_ms = clock_mono_ms() + PAUSE_MS;
			return;
		}
		admit_client(listener, fd);
		close(fd);
	}
}

/* ---- the loop -------------------------------------------------------------*/

static void
begin_stop(struct listener *listener)
{
	if (listener->is_stopping)
		return;
	listener->is_stopping = true;
	listener->leave_mono_ms = clock_mono_ms() + STOP_MS;
	systemd_notify("STOPPING=1");
	close_sockets(listener->sockets);
	signal_children(listener, SIGTERM);
}

static void
take_signals(struct listener *listener)
{
	struct signalfd_siginfo info;

	while (read(listener->signal_fd, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGCHLD)
			reap_children(listener, WNOHANG);
		else
			begin_stop(listener);
}

/* The signals, and the sockets unless nothing is accepted now. Returns how many
 * descriptors there are to wait for. */
static nfds_t
fill_polls(const struct listener *listener, bool is_accepting,
    struct pollfd pfds[1 + LISTENER_SOCKETS_MAX])
{
	const struct listener_sockets *sockets = listener->sockets;
	nfds_t count = 0;

	pfds[count++] = (struct pollfd){ listener->signal_fd, POLLIN, 0 };
	for (int i = 0; is_accepting && i < (int)sockets->count; i++)
		pfds[count++] =
		    (struct pollfd){ sockets->first_fd + i, POLLIN, 0 };
	return count;
}

static int
wait_ms(const struct listener *listener, int64_t now_mono_ms, bool is_pausing)
{
	int64_t deadline_mono_ms = listener->leave_mono_ms;

	if (deadline_mono_ms > listener->report_mono_ms)
		deadline_mono_ms = listener->report_mono_ms;
	if (is_pausing && deadline_mono_ms > listener->accept_mono_ms)
		deadline_mono_ms = listener->accept_mono_ms;
	if (deadline_mono_ms == NEVER_MS)
		return -1;
	if (deadline_mono_ms <= now_mono_ms)
		return 0;
	return (int)(deadline_mono_ms - now_mono_ms);
}

/* Wait for signals and clients until the next deadline, and handle them. */
static void
wait_and_act(struct listener *listener)
{
	static const struct timespec moment = { PAUSE_MS / 1000, 0 };
	struct pollfd pfds[1 + LISTENER_SOCKETS_MAX];
	int64_t now_mono_ms = clock_mono_ms();
	bool is_pausing = listener->accept_mono_ms > now_mono_ms;
	nfds_t count =
	    fill_polls(listener, !listener->is_stopping && !is_pausing, pfds);
	int n = poll(pfds, count, wait_ms(listener, now_mono_ms, is_pausing));

	if (n == -1 && errno != EINTR) {
		log_trouble(listener, "waiting for clients", -errno);
		(void)nanosleep(&moment, NULL);
	}
	if (n == -1 || pfds[0].revents != 0)
		take_signals(listener);
	if (n <= 0)
		return;
	for (nfds_t i = 1; i < count && !listener->is_stopping; i++) {
		if (pfds[i].revents == 0)
			continue;
		/* The next listener serves the clients that wait. */
		if (sandbox_is_listener_outdated(listener->settings))
			begin_stop(listener);
		else
			accept_clients(listener, pfds[i].fd);
	}
}

static void
serve_clients(struct listener *listener)
{
	while (!listener->is_stopping || listener->child_count > 0) {
		int64_t now_mono_ms;

		wait_and_act(listener);
		now_mono_ms = clock_mono_ms();
		if (now_mono_ms >= listener->report_mono_ms)
			report(listener);
		if (now_mono_ms >= listener->leave_mono_ms)
			break;
	}
	begin_stop(listener);
	signal_children(listener, SIGKILL);
	reap_children(listener, 0);
	if (listener->report_mono_ms != NEVER_MS)
		report(listener);
}

/* Receive signals by a descriptor, so that poll(2) misses none. */
static int
open_signals(sigset_t *ret_child_mask)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	(void)signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_BLOCK, &signals, ret_child_mask) == -1)
		return -errno;
	fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	return fd >= 0 ? fd : -errno;
}

static int
make_nonblocking(const struct listener_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (fcntl(sockets->first_fd + (int)i, F_SETFL, O_NONBLOCK) ==
		    -1)
			return -errno;
	return 0;
}

int
listener_run(const struct listener_sockets *sockets,
    const struct session_settings *settings, listener_serve *serve)
{
	struct listener listener = {
		.sockets = sockets,
		.settings = settings,
		.serve = serve,
		.leave_mono_ms = clock_mono_ms() +
		    (int64_t)settings->idle_timeout_sec * 1000,
		.report_mono_ms = NEVER_MS,
	};
	int r;

	if ((r = make_nonblocking(sockets)) < 0)
		return r;
	listener.children =
	    calloc((size_t)settings->sessions, sizeof(*listener.children));
	if (listener.children == NULL)
		return -ENOMEM;
	r = listener.signal_fd = open_signals(&listener.child_mask);
	if (r >= 0) {
		systemd_notify("READY=1");
		serve_clients(&listener);
		close(listener.signal_fd);
		r = 0;
	}
	free(listener.children);
	return r;
}

void
listener_turn_away(const struct listener_sockets *sockets,
    const struct reply *reply)
{
	struct peer peer;
	int fd;

	if (make_nonblocking(sockets) < 0)
		return;
	for (size_t i = 0; i < sockets->count; i++)
		while ((fd = accept_client(sockets->first_fd + (int)i)) >= 0) {
			peer_identify(fd, sockets->netlink_fd, &peer);
			if (peer_admit(&peer))
				refusal_send(fd, reply);
			close(fd);
		}
}
