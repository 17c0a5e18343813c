/* SPDX-License-Identifier: ISC */

/*
 * sandbox.c - the sandboxes, from inside: a process of each role, with a spool
 * that contains mail, enters its sandbox, and tries both what the sandbox
 * forbids and what the role needs.
 */

#include "config.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/counters.h"
#include "lib/presence.h"
#include "lib/sandbox.h"
#include "lib/spool/fault.h"
#include "lib/spool/probe.h"
#include "lib/spool/layout.h"
#include "lib/spool/names.h"
#include "lib/spool/cache.h"
#include "lib/spool/unreachable.h"
#include "lib/spool/queue.h"
#include "lib/spool/repair.h"
#include "lib/spool/scan.h"
#include "lib/spool/sandbox.h"
#include "smtp-deliver/route/rules.h"
#include "smtp-deliver/sandbox.h"
#include "t/unit/message.h"

#define SESSION (1U << SANDBOX_SESSION)
#define LISTENER (1U << SANDBOX_LISTENER)
#define DELIVERY (1U << SANDBOX_DELIVERY)
#define WORKER (1U << SANDBOX_WORKER)
#define FETCHER (1U << SANDBOX_STSFETCH)
#define HEALTH (1U << SANDBOX_HEALTH)
#define WORKERS (WORKER | FETCHER)
#define ALL (SESSION | LISTENER | DELIVERY | WORKERS | HEALTH)

#define FILES (1U << SANDBOX_FILES)
#define PORTS (1U << SANDBOX_PORTS)
#define SCOPES (1U << SANDBOX_SCOPES)
#define CALLS (1U << SANDBOX_CALLS)
#define BOTH (FILES | CALLS) /* each suffices */

#ifdef NO_SANDBOX
#define HAS_WALLS false
#else
#define HAS_WALLS true
#endif

#define RESULTS_MAX 100
#define NOT_DONE INT_MAX
#define COST_TURNS 51

static const char *const one[] = { "one@example.org", NULL };
static const char *const role_names[SANDBOX_ROLES] = {
	[SANDBOX_SESSION] = "session",
	[SANDBOX_LISTENER] = "listener",
	[SANDBOX_DELIVERY] = "delivery",
	[SANDBOX_WORKER] = "worker",
	[SANDBOX_STSFETCH] = "fetcher",
	[SANDBOX_HEALTH] = "health",
};

/* Set up before any sandbox is entered. */
static struct spool *spool;
static struct deliver_settings settings;
static char id[ID_SIZE], day[NAME_DAY_SIZE], mail[PATH_MAX];
static char spool_path[PATH_MAX], outside[PATH_MAX], ca_file[PATH_MAX];
static int allowed_port, other_port, listening_fds[2], datagram_fd;
static struct sockaddr_un other_address;
static pid_t parent_pid;

/* What a process opens before it enters its sandbox. */
static int message_fd, findings_fd;
static struct counters *counters;
static int sessions_fd;
static struct queue *queue;
static struct cache_place place;

static int
result(int r)
{
	return r == -1 ? -errno : 0;
}

static int
opening(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK, 0600);

	if (fd == -1)
		return -errno;
	close(fd);
	return 0;
}

static const char *
in_spool(const char *name)
{
	return folder_at("spool/%s", name);
}

static const char *
queued(void)
{
	return folder_at("spool/queue/new/%s", id);
}

/* ---- files --------------------------------------------------------------- */

static int
read_outside(void)
{
	return opening(outside, O_RDONLY);
}

static int
read_passwd(void)
{
	return opening("/etc/passwd", O_RDONLY);
}

static int
write_outside(void)
{
	return opening(outside, O_WRONLY);
}

static int
make_outside(void)
{
	return opening(folder_at("made"), O_WRONLY | O_CREAT);
}

static int
remove_outside(void)
{
	return result(unlinkat(AT_FDCWD, folder_at("to-remove"), 0));
}

static int
read_mail(void)
{
	return opening(mail, O_RDONLY);
}

static int
write_mail(void)
{
	return opening(mail, O_WRONLY);
}

static int
read_queued(void)
{
	return opening(queued(), O_RDONLY);
}

static int
write_queued(void)
{
	return opening(queued(), O_WRONLY);
}

static int
cut_queued(void)
{
	return result(truncate(queued(), 0));
}

static int
cut_open_message(void)
{
	return result(ftruncate(message_fd, 0));
}

static int
write_open_message(void)
{
	return result((int)pwrite(message_fd, "x", 1, 0));
}

static int
remove_old_mail(void)
{
	return result(unlinkat(AT_FDCWD, in_spool("2020-01-01/old.eml"), 0));
}

static int
remove_failed(void)
{
	return result(unlinkat(AT_FDCWD, in_spool("queue/failed/failed"), 0));
}

static int
link_old_mail(void)
{
	return result(
	    link(in_spool("2020-01-01/older.eml"), in_spool("scratch/older")));
}

static int
link_to_retry(void)
{
	return result(linkat(AT_FDCWD, queued(), AT_FDCWD,
	    in_spool("queue/retry/linked"), 0));
}

static int
move_key(void)
{
	return result(renameat(AT_FDCWD, in_spool("key"), AT_FDCWD,
	    in_spool("scratch/key")));
}

static int
read_key(void)
{
	return opening(in_spool("key"), O_RDONLY);
}

/* List the queue by a descriptor that was open before, and by a new one. */
static int
list_new(void)
{
	int fd = layout_folder(spool, FOLDER_NEW), r;
	char entries[4096];

	if (syscall(SYS_getdents64, fd, entries, sizeof(entries)) >= 0)
		return 0;
	r = -errno;
	return opening(in_spool("queue/new"), O_RDONLY | O_DIRECTORY) == 0 ? 0
									   : r;
}

static int
change_mode(void)
{
	return result(fchmod(message_fd, 0666));
}

static int
change_mode_by_name(void)
{
	return result(chmod(mail, 0666));
}

static int
change_owner(void)
{
	return result(fchown(message_fd, getuid(), getgid()));
}

static int
run_program(void)
{
	char path[] = "/bin/true";

	execv(path, (char *[]){ path, NULL });
	return -errno;
}

/* ---- sockets ------------------------------------------------------------- */

static int
make_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -errno;
	close(fd);
	return 0;
}

static int
make_internet_socket(void)
{
	return make_socket(AF_INET, SOCK_STREAM);
}

static int
make_local_socket(void)
{
	return make_socket(AF_UNIX, SOCK_STREAM);
}

static int
make_raw_socket(void)
{
	return make_socket(AF_PACKET, SOCK_RAW);
}

static int
make_netlink_socket(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW);
}

static int
use_port(int port, int (*use)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) },
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd == -1)
		return -errno;
	r = result(use(fd, (const struct sockaddr *)&address, sizeof(address)));
	close(fd);
	return r;
}

static int
connect_to_allowed(void)
{
	return use_port(allowed_port, connect);
}

static int
connect_to_other(void)
{
	return use_port(other_port, connect);
}

static int
bind_port(void)
{
	return use_port(0, bind);
}

static int
listen_for_others(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd == -1)
		return -errno;
	r = result(listen(fd, 1));
	close(fd);
	return r;
}

static int
send_elsewhere(void)
{
	return result((int)sendto(datagram_fd, "x", 1, MSG_DONTWAIT,
	    (const struct sockaddr *)&other_address, sizeof(other_address)));
}

static int
accept_client(void)
{
	/* cppcheck-suppress nullPointer; no address is asked for */
	int fd = accept4(listening_fds[0], NULL, NULL, SOCK_CLOEXEC);

	if (fd == -1)
		return errno == EAGAIN ? 0 : -errno;
	close(fd);
	return 0;
}

static int
find_localhost(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;

	if (getaddrinfo("localhost", "25", &hints, &found) != 0)
		return -ENOENT;
	freeaddrinfo(found);
	return 0;
}

static int
read_trust(void)
{
	return opening(ca_file, O_RDONLY);
}

static int
read_resolver(void)
{
	return opening("/etc/resolv.conf", O_RDONLY);
}

/* ---- processes ----------------------------------------------------------- */

static int
fork_child(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid == -1)
		return -errno;
	return waitpid(pid, NULL, 0) == pid || errno == ECHILD ? 0 : -errno;
}

static int
trace_parent(void)
{
	return result((int)ptrace(PTRACE_ATTACH, parent_pid, NULL, NULL));
}

static int
be_traced(void)
{
	return result((int)ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
signal_parent(void)
{
	return result(kill(parent_pid, 0));
}

static int
make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -errno;
	(void)munmap(page, 4096);
	return 0;
}

static int
become_other_user(void)
{
	return result(setresuid(65534, 65534, 65534));
}

static int
have_core(void)
{
	struct rlimit limit = { 1, 1 };

	return result(setrlimit(RLIMIT_CORE, &limit));
}

/* ---- what the roles need ------------------------------------------------- */

static int
store_message(void)
{
	struct envelope envelope = message_envelope("a@example.com", one);
	struct draft *draft;
	int r;

	if ((r = draft_begin(spool, &envelope, &draft)) < 0)
		return r;
	if ((r = draft_write(draft, "x", 1)) == 0)
		r = draft_commit(draft);
	draft_free(draft);
	envelope_clear(&envelope);
	return r;
}

/* The commit fails, because the queue's name is taken; its names are
 * removed. */
static int
take_message_back(void)
{
	struct envelope envelope = message_envelope("a@example.com", one);
	struct draft *draft;
	char token[TOKEN_SIZE], name[NAME_MAIL_SIZE];
	struct stat st;
	int r;

	memcpy(envelope.id, id, ID_SIZE);
	envelope.id[0] = 'f';
	if ((r = draft_begin(spool, &envelope, &draft)) < 0)
		return r;
	r = draft_commit(draft) == -EEXIST ? 0 : -EINVAL;
	draft_free(draft);
	if (r == 0 && (r = spool_token(spool, one[0], token)) == 0) {
		name_format_mail(envelope.id, token, name);
		r = stat(folder_at("spool/%s/%s", day, name), &st) == -1
		    ? 0
		    : -EEXIST;
	}
	envelope_clear(&envelope);
	return r;
}

static int
add_to_counter(void)
{
	uint64_t before = counters_get(counters, COUNTER_MESSAGES_QUEUED);

	counters_add(counters, COUNTER_MESSAGES_QUEUED, 1);
	return counters_get(counters, COUNTER_MESSAGES_QUEUED) == before + 1
	    ? 0
	    : -EIO;
}

static int
be_present(void)
{
	return presence_enter(sessions_fd);
}

static int
work_through_queue(void)
{
	struct queue_entry entry = { .place = QUEUE_NEW };
	struct attempt attempt = { .state.outcome = OUTCOME_DEFERRED,
		.status = "4.0.0" };
	struct claim *claim;
	int r;

	(void)strlcpy(entry.name, id, sizeof(entry.name));
	if ((r = claim_open(spool, &entry, &claim)) < 0)
		return r;
	if ((r = claim_record(claim, &attempt, 1)) == 0 &&
	    (r = queue_defer(queue, claim, clock_real_ms() / 60000)) == 0)
		r = queue_sync(queue);
	claim_release(claim);
	return r;
}

static void
ignore_repair(void *context, const char *path, const char *what)
{
	(void)context;
	(void)path;
	(void)what;
}

static int
sweep(void)
{
	return repair_sweep(spool, ignore_repair, NULL);
}

static int
check_health(void)
{
	struct spool *anew;
	uint64_t depth;
	int fd = -1, r;

	if ((r = spool_open(spool_path, &anew)) < 0)
		return r;
	if ((r = spool_check_writable(anew)) == 0 &&
	    (r = scan_count(anew, &depth)) == 0)
		r = fd = spool_open_sessions(anew);
	if (r >= 0) {
		r = presence_count(fd, &depth);
		close(fd);
	}
	spool_close(anew);
	return r;
}

static int
read_open_message(void)
{
	char octet;

	return result((int)pread(message_fd, &octet, 1, 0));
}

/* Do what a listener's child does: enter the sandbox of a session. */
static int
become_session(void)
{
	struct sandbox sandbox;
	pid_t pid = fork();
	int status;

	if (pid == -1)
		return -errno;
	if (pid == 0) {
		if (spool_open(spool_path, &spool) < 0)
			_exit(1);
		sandbox_begin(&sandbox, SANDBOX_SESSION);
		if (sandbox_allow_session(spool, &sandbox) < 0)
			_exit(2);
		(void)sandbox_enter(&sandbox);
		if (read_mail() == 0 || make_internet_socket() == 0 ||
		    fork_child() == 0)
			_exit(3);
		_exit(store_message() == 0 ? 0 : 4);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static int
end_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == -1)
		return -errno;
	if (pid == 0) {
		for (;;)
			(void)pause();
	}
	if (kill(pid, SIGKILL) == -1 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFSIGNALED(status) ? 0 : -EINVAL;
}

static int
keep_policy(void)
{
	return cache_write(&place, "xyz", 3);
}

static int
read_policy(void)
{
	char text[8];
	ssize_t n = cache_read(&place, text, sizeof(text));

	return n == 3 ? 0 : n < 0 ? (int)n : -EBADMSG;
}

static int
read_policy_by_name(void)
{
	return opening(folder_at("spool/policies/%s", place.name), O_RDONLY);
}

static int
read_fault(void)
{
	char text[FAULT_SIZE];
	int64_t real_ms;

	return fault_read(spool, FAULT_DELIVER, text, &real_ms);
}

static int
remember_unreached(void)
{
	struct unreachable unreachable = {
		.last = { .number = 1,
		    .state.outcome = OUTCOME_DEFERRED,
		    .status = "4.4.1" },
	};
	int r = unreachable_remember(spool, "example.org", &unreachable);

	return r < 0 ? r
		     : unreachable_recall(spool, "example.org", &unreachable);
}

/* ---- the table ----------------------------------------------------------- */

/* An action, the roles that can do it, and the pieces of the sandbox that
 * forbid it to other roles: a kernel that lacks all of these pieces allows
 * it. */
static const struct trial {
	const char *what;
	int (*act)(void);
	unsigned roles; /* that can do it */
	unsigned tried_by;
	unsigned pieces;
} trials[] = {
	{ "read a file outside", read_outside, 0, ALL, FILES },
	{ "read /etc/passwd", read_passwd, 0, ALL, FILES },
	{ "write to a file outside", write_outside, 0, ALL, FILES },
	{ "make a file outside", make_outside, 0, ALL, FILES },
	{ "remove a file outside", remove_outside, 0, ALL, FILES },
	{ "read stored mail", read_mail, 0, ALL, FILES },
	{ "write to stored mail", write_mail, 0, ALL, FILES },
	{ "read a message in the queue", read_queued, DELIVERY, ALL, FILES },
	{ "write to a message in the queue", write_queued, DELIVERY, ALL,
	    FILES },
	{ "truncate a message in the queue", cut_queued, 0, ALL, CALLS },
	{ "truncate an open message", cut_open_message, 0, ALL & ~LISTENER,
	    CALLS },
	{ "write to an open message", write_open_message, 0, WORKER, 0 },
	{ "remove stored mail of another day", remove_old_mail, LISTENER, ALL,
	    FILES },
	{ "remove a failed message", remove_failed, LISTENER | DELIVERY, ALL,
	    FILES },
	{ "link stored mail elsewhere", link_old_mail, 0, ALL & ~LISTENER,
	    FILES },
	{ "link a message into the queue", link_to_retry, LISTENER | DELIVERY,
	    ALL, FILES },
	{ "move the key", move_key, 0, ALL & ~LISTENER, FILES },
	{ "read the key", read_key, LISTENER | HEALTH, ALL, FILES },
	{ "list the queue", list_new, LISTENER | DELIVERY | HEALTH, ALL,
	    CALLS },
	{ "change a mode", change_mode, 0, ALL, CALLS },
	{ "change a mode by name", change_mode_by_name, 0, ALL, CALLS },
	{ "change an owner", change_owner, 0, ALL, CALLS },
	{ "run a program", run_program, 0, ALL, BOTH },

	{ "make an Internet socket", make_internet_socket, DELIVERY | WORKERS,
	    ALL, CALLS },
	{ "make a local socket", make_local_socket,
	    LISTENER | DELIVERY | WORKERS, ALL, CALLS },
	{ "make a raw socket", make_raw_socket, 0, ALL, CALLS },
	{ "ask for the users of connections", make_netlink_socket, 0, ALL,
	    CALLS },
	{ "connect to SMTP_REMOTE_PORT", connect_to_allowed, DELIVERY | WORKER,
	    ALL, CALLS },
	{ "connect to another port", connect_to_other, 0, ALL, PORTS },
	{ "bind a port", bind_port, 0, ALL & ~(DELIVERY | WORKER),
	    PORTS | CALLS },
	{ "bind a port", bind_port, 0, DELIVERY | WORKER, PORTS },
	{ "listen", listen_for_others, 0, DELIVERY | WORKER, CALLS },
	{ "send to another socket", send_elsewhere,
	    LISTENER | DELIVERY | WORKERS, ALL, CALLS },
	{ "accept a client", accept_client, LISTENER | HEALTH, ALL, CALLS },
	{ "look up an address", find_localhost, WORKERS, WORKERS, 0 },
	{ "read SMTP_TLS_CA_FILE", read_trust, DELIVERY | WORKERS, ALL, FILES },
	{ "read resolv.conf", read_resolver, DELIVERY | WORKERS, ALL, FILES },

	{ "fork", fork_child, LISTENER | DELIVERY, ALL, CALLS },
	{ "trace its parent", trace_parent, 0, ALL, BOTH },
	{ "be traced", be_traced, 0, ALL, CALLS },
	{ "signal its parent", signal_parent, 0, ALL, SCOPES | CALLS },
	{ "map writable code", make_code, DELIVERY | WORKERS, ALL, CALLS },
	{ "become another user", become_other_user, 0, ALL, CALLS },
	{ "allow a core dump", have_core, 0, SESSION | WORKERS | HEALTH,
	    CALLS },

	{ "store a message", store_message, SESSION | DELIVERY,
	    SESSION | DELIVERY, 0 },
	{ "take a message back", take_message_back, SESSION | DELIVERY,
	    SESSION | DELIVERY, 0 },
	{ "add to a counter", add_to_counter, SESSION | DELIVERY,
	    SESSION | DELIVERY, 0 },
	{ "be counted as a session", be_present, SESSION, SESSION, 0 },
	{ "become a session", become_session, LISTENER, LISTENER, 0 },
	{ "end its child", end_child, LISTENER, LISTENER, 0 },
	{ "sweep the spool", sweep, DELIVERY, DELIVERY, 0 },
	{ "defer a message", work_through_queue, DELIVERY, DELIVERY, 0 },
	{ "check the spool", check_health, HEALTH, HEALTH, 0 },
	{ "store a policy", keep_policy, FETCHER, WORKERS, 0 },
	{ "read a policy", read_policy, FETCHER, FETCHER, 0 },
	{ "read a policy by its name", read_policy_by_name, DELIVERY | FETCHER,
	    ALL, FILES },
	{ "record an unreachable destination", remember_unreached, DELIVERY,
	    ALL, FILES },
	{ "read the fault of a program", read_fault, HEALTH, ALL, FILES },
	{ "read an open message", read_open_message, WORKER, WORKER, 0 },
};

#define TRIALS (sizeof(trials) / sizeof(trials[0]))

/* The results of a process in a sandbox. */
struct findings {
	unsigned missing;
	int results[RESULTS_MAX];
};

static void
keep_descriptors_of_worker(void)
{
	int fds[] = { message_fd, findings_fd, listening_fds[0], datagram_fd };

	sandbox_keep_only(fds, sizeof(fds) / sizeof(fds[0]));
}

static void
keep_descriptors_of_fetcher(void)
{
	int fds[] = { place.folder_fd, findings_fd, listening_fds[0],
		datagram_fd };

	sandbox_keep_only(fds, sizeof(fds) / sizeof(fds[0]));
}

static struct rules *
make_rules(void)
{
	struct rules *rules;
	char error[NEXTHOP_ERROR_SIZE];

	need(rules_open(settings.relayhost, &rules, error) == 0);
	return rules;
}

static unsigned
enter_sandbox(enum sandbox_role role)
{
	struct sandbox_ports ports;
	struct sandbox sandbox;
	unsigned missing = 0;

	ports.ports = rules_ports(make_rules(), &ports.count);
	switch (role) {
	case SANDBOX_DELIVERY:
		need(
		    sandbox_enter_run(spool, &settings, &ports, &missing) == 0);
		return missing;
	case SANDBOX_WORKER:
		need(
		    sandbox_enter_run(spool, &settings, &ports, &missing) == 0);
		keep_descriptors_of_worker();
		sandbox_enter_worker(&settings, &ports);
		return missing;
	case SANDBOX_STSFETCH:
		need(
		    sandbox_enter_run(spool, &settings, &ports, &missing) == 0);
		keep_descriptors_of_fetcher();
		sandbox_enter_stsfetch(&settings, place.folder_fd);
		return missing;
	default:
		break;
	}
	sandbox_begin(&sandbox, role);
	if (role == SANDBOX_SESSION)
		need(sandbox_allow_session(spool, &sandbox) == 0);
	if (role == SANDBOX_LISTENER)
		need(sandbox_allow_listener(spool, &sandbox) == 0);
	if (role == SANDBOX_HEALTH)
		need(sandbox_allow_health(spool, &sandbox) == 0);
	return sandbox_enter(&sandbox);
}

/* Run a process of a role, which writes its findings to a pipe. */
_Noreturn static void
try_all(enum sandbox_role role)
{
	struct findings findings;

	need(spool_open(spool_path, &spool) == 0);
	need(counters_open(spool_open_counters(spool), &counters) == 0);
	sessions_fd = spool_open_sessions(spool);
	need(queue_open(spool, &queue) == 0);
	need(cache_open(spool, CACHE_POLICY, "example.org", &place) == 0);
	need(cache_write(&place, "y", 1) == 0);
	message_fd =
	    open(queued(), (role == SANDBOX_WORKER ? O_RDONLY : O_RDWR));
	need(message_fd >= 0);
	tzset();

	findings.missing = enter_sandbox(role);
	for (size_t i = 0; i < TRIALS; i++)
		findings.results[i] = (trials[i].tried_by & (1U << role)) != 0
		    ? trials[i].act()
		    : NOT_DONE;
	need(write(findings_fd, &findings, sizeof(findings)) ==
	    sizeof(findings));
	_exit(0);
}

static void
judge(enum sandbox_role role, const struct trial *trial, int found,
    unsigned missing)
{
	bool is_allowed = (trial->roles & (1U << role)) != 0;

	if (found == NOT_DONE)
		return;
	if (is_allowed)
		is_int(found, 0, "%s: can %s", role_names[role], trial->what);
	else if (trial->pieces == 0 || (trial->pieces & ~missing) != 0)
		ok(found < 0, "%s: cannot %s (%s)", role_names[role],
		    trial->what, found < 0 ? strerror(-found) : "but could");
	else
		printf("# %s: could %s: the kernel lacks what forbids it\n",
		    role_names[role], trial->what);
}

static void
test_role(enum sandbox_role role)
{
	struct findings findings;
	int pipe_fds[2], status;
	pid_t pid;

	need(pipe2(pipe_fds, O_CLOEXEC) == 0);
	(void)fflush(stdout);
	need((pid = fork()) != -1);
	findings_fd = pipe_fds[1];
	if (pid == 0)
		try_all(role);
	close(pipe_fds[1]);
	need(
	    read(pipe_fds[0], &findings, sizeof(findings)) == sizeof(findings));
	close(pipe_fds[0]);
	need(waitpid(pid, &status, 0) == pid);
	is_int(status, 0, "%s: exits with 0", role_names[role]);
	for (enum sandbox_piece i = 0; i < SANDBOX_PIECES; i++)
		if ((findings.missing & (1U << i)) != 0)
			printf("# the kernel lacks: %s\n",
			    sandbox_piece_name(i));
	for (size_t i = 0; i < TRIALS; i++)
		judge(role, &trials[i], findings.results[i], findings.missing);
}

static int
listen_somewhere(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	need(fd >= 0);
	need(bind(fd, (struct sockaddr *)&address, length) == 0);
	need(listen(fd, 10) == 0);
	need(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void
make_datagram_sockets(void)
{
	int other_fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	datagram_fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	need(other_fd >= 0 && datagram_fd >= 0);
	other_address.sun_family = AF_UNIX;
	(void)strlcpy(other_address.sun_path, folder_at("socket"),
	    sizeof(other_address.sun_path));
	need(bind(other_fd, (const struct sockaddr *)&other_address,
		 sizeof(other_address)) == 0);
}

/* Make a spool with mail in every place that is tried, and its surroundings. */
static void
make_scene(void)
{
	char token[TOKEN_SIZE], name[NAME_MAIL_SIZE];

	(void)strlcpy(spool_path, folder_at("spool"), sizeof(spool_path));
	(void)strlcpy(outside, folder_at("outside"), sizeof(outside));
	(void)strlcpy(ca_file, folder_at("ca.pem"), sizeof(ca_file));
	folder_write("outside", "x", 1);
	folder_write("to-remove", "x", 1);
	folder_write("ca.pem", "x", 1);
	need(spool_open(spool_path, &spool) == 0);
	message_put(spool, one, id);
	name_format_day(clock_real_ms(), day);
	need(spool_token(spool, one[0], token) == 0);
	name_format_mail(id, token, name);
	(void)strlcpy(mail, folder_at("spool/%s/%s", day, name), sizeof(mail));
	need(mkdir(in_spool("2020-01-01"), 0700) == 0);
	folder_write("spool/2020-01-01/old.eml", "x", 1);
	folder_write("spool/2020-01-01/older.eml", "x", 1);
	folder_write("spool/queue/failed/failed", "x", 1);
	/* Takes the queue's name for take_message_back(). */
	(void)snprintf(name, sizeof(name), "f%s", id + 1);
	folder_write(folder_at("spool/queue/new/%s", name) +
		strlen(folder_path) + 1,
	    "x", 1);
	spool_close(spool);
	spool = NULL;
	need(fault_leave(spool_path, FAULT_DELIVER, "x") == 0);

	listening_fds[0] = listen_somewhere(&allowed_port);
	listening_fds[1] = listen_somewhere(&other_port);
	make_datagram_sockets();
	settings.remote_port = allowed_port;
	settings.tls_ca_file = ca_file;
	parent_pid = getpid();
}

/* In a child: write the time that a session's sandbox takes, from the first
 * rule to the last. */
static void
measure_session(void)
{
	struct timespec start, end;
	struct sandbox sandbox;
	int64_t nanoseconds;

	need(spool_open(spool_path, &spool) == 0);
	need(key_load(spool) == 0 &&
	    layout_day_folder(spool, clock_real_ms()) >= 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	sandbox_begin(&sandbox, SANDBOX_SESSION);
	need(sandbox_allow_session(spool, &sandbox) == 0);
	(void)sandbox_enter(&sandbox);
	clock_gettime(CLOCK_MONOTONIC, &end);
	nanoseconds = (end.tv_sec - start.tv_sec) * INT64_C(1000000000) +
	    end.tv_nsec - start.tv_nsec;
	need(write(findings_fd, &nanoseconds, sizeof(nanoseconds)) ==
	    sizeof(nanoseconds));
	_exit(0);
}

static int
compare_times(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static void
show_cost(void)
{
	int64_t times[COST_TURNS];
	int pipe_fds[2];

	need(pipe2(pipe_fds, O_CLOEXEC) == 0);
	findings_fd = pipe_fds[1];
	for (size_t i = 0; i < COST_TURNS; i++) {
		pid_t pid = fork();

		need(pid != -1);
		if (pid == 0)
			measure_session();
		need(read(pipe_fds[0], &times[i], sizeof(times[i])) ==
		    sizeof(times[i]));
		need(waitpid(pid, NULL, 0) == pid);
	}
	qsort(times, COST_TURNS, sizeof(times[0]), compare_times);
	printf("# a session's sandbox takes %" PRId64 " us (median of %d)\n",
	    times[COST_TURNS / 2] / 1000, COST_TURNS);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* A build for sanitizers or coverage. */
static void
test_build_without_sandboxes(void)
{
	struct sandbox sandbox;

	sandbox_begin(&sandbox, SANDBOX_SESSION);
	is_int(sandbox_enter(&sandbox), 0,
	    "a sandbox that is not built in can be entered");
	is_int(read_passwd(), 0, "and restricts nothing");
}

int
main(void)
{
	if (!HAS_WALLS) {
		test_build_without_sandboxes();
		return done_testing();
	}
	for (enum sandbox_role role = 0; role < SANDBOX_ROLES; role++) {
		folder_make();
		make_scene();
		test_role(role);
		if (role == SANDBOX_SESSION)
			show_cost();
		folder_remove();
	}
	return done_testing();
}
