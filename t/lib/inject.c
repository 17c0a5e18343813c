/* SPDX-License-Identifier: ISC */

/*
 * inject.c - run a program and inject a fault into one of its system calls.
 *
 *	inject [-l FILE] [-t] [-a PROCESS:CALL:NUMBER:ACTION] COMMAND
 *	[ARGUMENT...]
 *
 * Processes are numbered from 0 in the order of their creation, and in each
 * process the calls of each kind from 1: 0:openat:3 is the program's third
 * openat(2). ACTION applies to that call alone:
 *
 *	kill		SIGKILL instead of the call
 *	error=NUMBER	it is not executed and fails with that errno
 *	late=NUMBER	it is executed, but fails with that errno
 *	lie		it is not executed, but reports success
 *	short		it asks for half of the octets, at least one
 *
 *	-l FILE		write "PROCESS CALL NUMBER DETAIL" for each call
 *	-t		O_TMPFILE fails with EOPNOTSUPP, as if not supported
 *
 * The call with the fault is written to the file that FAULT_FILE names, in the
 * same form. Exits with the program's status, 128 + n after signal n, or 120
 * for errors of its own. When it ends, all processes of the program end.
 */

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef __x86_64__
#error \
    "registers of another machine: see set_number(), set_result(), set_size()"
#endif

#define PROCESSES_MAX 256
#define CALLS_MAX 512 /* greater than any system call number */
#define EXIT_TROUBLE 120

enum action { ACTION_NONE, KILL, ERROR, LATE, LIE, SHORT };

struct process {
	pid_t pid;
	int calls[CALLS_MAX]; /* how often each was called so far */
	int is_new; /* the signal of its first stop is not passed on */
	int is_gone;
	int has_result; /* of the call it is in */
	int64_t result;
};

static struct process processes[PROCESSES_MAX];
static int process_count;

static int at_process = -1, at_number;
static char at_call[24];
static enum action action;
static int action_errno;
static int is_done; /* the action */
static int has_tmpfile = 1;
static FILE *log_file;

/* clang-format off */
#define NAME(name) [SYS_##name] = #name
static const char *const names[] = {
	NAME(read), NAME(write), NAME(open), NAME(close), NAME(stat),
	NAME(fstat), NAME(lstat), NAME(poll), NAME(lseek), NAME(mmap),
	NAME(mprotect), NAME(munmap), NAME(brk), NAME(rt_sigaction),
	NAME(rt_sigprocmask), NAME(rt_sigreturn), NAME(ioctl), NAME(pread64),
	NAME(pwrite64), NAME(readv), NAME(writev), NAME(access),
	NAME(sched_yield), NAME(mremap), NAME(madvise), NAME(dup), NAME(dup2),
	NAME(getpid), NAME(socket), NAME(connect), NAME(accept), NAME(sendto),
	NAME(recvfrom), NAME(sendmsg), NAME(recvmsg), NAME(shutdown),
	NAME(bind), NAME(listen), NAME(getsockname), NAME(getpeername),
	NAME(socketpair), NAME(setsockopt), NAME(getsockopt), NAME(clone),
	NAME(fork), NAME(vfork), NAME(execve), NAME(exit), NAME(wait4),
	NAME(kill), NAME(uname), NAME(fcntl), NAME(flock), NAME(fsync),
	NAME(fdatasync), NAME(ftruncate), NAME(getdents64), NAME(rename),
	NAME(mkdir), NAME(rmdir), NAME(link), NAME(unlink), NAME(readlink),
	NAME(umask), NAME(getrlimit), NAME(sysinfo), NAME(getuid),
	NAME(getgid), NAME(geteuid), NAME(getegid), NAME(getppid),
	NAME(statfs), NAME(fstatfs), NAME(prctl), NAME(arch_prctl),
	NAME(gettid), NAME(futex), NAME(set_tid_address), NAME(exit_group),
	NAME(openat), NAME(mkdirat), NAME(newfstatat), NAME(unlinkat),
	NAME(renameat), NAME(linkat), NAME(faccessat), NAME(ppoll),
	NAME(set_robust_list), NAME(fallocate), NAME(accept4),
	NAME(inotify_init1), NAME(inotify_add_watch), NAME(pipe2),
	NAME(prlimit64), NAME(syncfs), NAME(sendmmsg), NAME(renameat2),
	NAME(getrandom), NAME(statx), NAME(rseq), NAME(clone3),
	NAME(faccessat2), NAME(fchmodat), NAME(utimensat), NAME(fchmod),
	NAME(dup3), NAME(epoll_wait), NAME(getcpu), NAME(sched_getaffinity),
	NAME(readlinkat), NAME(fchown), NAME(fchownat), NAME(rt_sigtimedwait),
	NAME(seccomp), NAME(close_range), NAME(landlock_create_ruleset),
	NAME(landlock_add_rule), NAME(landlock_restrict_self),
};
/* clang-format on */

static const char *
call_name(uint64_t number)
{
	static char text[24];

	if (number < sizeof(names) / sizeof(names[0]) && names[number] != NULL)
		return names[number];
	(void)snprintf(text, sizeof(text), "call-%ju", (uintmax_t)number);
	return text;
}

/* ---- the registers ------------------------------------------------------- */

static void
poke(pid_t pid, size_t offset, uint64_t value)
{
	if (ptrace(PTRACE_POKEUSER, pid, offset, value) == -1 && errno != ESRCH)
		err(EXIT_TROUBLE, "PTRACE_POKEUSER");
}

static void
set_number(pid_t pid, uint64_t number)
{
	poke(pid, offsetof(struct user_regs_struct, orig_rax), number);
}

static void
set_result(pid_t pid, int64_t result)
{
	poke(pid, offsetof(struct user_regs_struct, rax), (uint64_t)result);
}

/* Set the third argument of read(2), write(2) and similar calls. */
static void
set_size(pid_t pid, uint64_t size)
{
	poke(pid, offsetof(struct user_regs_struct, rdx), size);
}

/* ---- the log ------------------------------------------------------------- */

/* Read a path from the program's memory, as far as possible. */
static const char *
read_path(pid_t pid, uint64_t address, char path[256])
{
	struct iovec local = { path, 255 };
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): in another process */
	struct iovec remote = { (void *)(uintptr_t)address, 255 };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	if (n < 0) { /* up to the end of its page */
		remote.iov_len = 4096 - address % 4096;
		n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	}
	path[n > 0 ? n : 0] = '\0';
	for (char *p = path; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			*p = '?';
	return path;
}

static void
print_call(FILE *out, int process, const struct ptrace_syscall_info *info)
{
	pid_t pid = processes[process].pid;
	const unsigned long long *args = info->entry.args;
	char path[256], other[256];

	(void)fprintf(out, "%d %s %d ", process, call_name(info->entry.nr),
	    processes[process].calls[info->entry.nr % CALLS_MAX]);
	switch (info->entry.nr) {
	case SYS_openat:
		(void)fprintf(out, "%d,%s,%#jx", (int)args[0],
		    read_path(pid, args[1], path), (uintmax_t)args[2]);
		break;
	case SYS_mkdirat:
	case SYS_unlinkat:
	case SYS_newfstatat:
	case SYS_faccessat:
	case SYS_faccessat2:
		(void)fprintf(out, "%d,%s", (int)args[0],
		    read_path(pid, args[1], path));
		break;
	case SYS_linkat:
	case SYS_renameat:
	case SYS_renameat2:
		(void)fprintf(out, "%d,%s,%d,%s", (int)args[0],
		    read_path(pid, args[1], path), (int)args[2],
		    read_path(pid, args[3], other));
		break;
	case SYS_mkdir:
	case SYS_readlink:
	case SYS_access:
	case SYS_execve:
		(void)fprintf(out, "%s", read_path(pid, args[0], path));
		break;
	default:
		(void)fprintf(out, "%#jx,%#jx,%#jx,%#jx", (uintmax_t)args[0],
		    (uintmax_t)args[1], (uintmax_t)args[2], (uintmax_t)args[3]);
	}
	(void)fputc('\n', out);
	(void)fflush(out);
}

static void
report_hit(int process, const struct ptrace_syscall_info *info)
{
	const char *path = getenv("FAULT_FILE");
	FILE *out = path != NULL ? fopen(path, "we") : NULL;

	if (out == NULL)
		return;
	print_call(out, process, info);
	(void)fclose(out);
}

/* ---- the calls ----------------------------------------------------------- */

static int
has_size(uint64_t number)
{
	return number == SYS_read || number == SYS_write ||
	    number == SYS_pread64 || number == SYS_pwrite64 ||
	    number == SYS_sendto || number == SYS_recvfrom;
}

static void
give_result(struct process *process, int64_t result, int is_executed)
{
	process->has_result = 1;
	process->result = result;
	if (!is_executed)
		set_number(process->pid, (uint64_t)-1);
}

static void
spoil(int number, const struct ptrace_syscall_info *info)
{
	struct process *process = &processes[number];

	is_done = 1;
	report_hit(number, info);
	switch (action) {
	case KILL:
		kill(process->pid, SIGKILL);
		break;
	case ERROR:
		give_result(process, -action_errno, 0);
		break;
	case LATE:
		give_result(process, -action_errno, 1);
		break;
	case LIE:
		give_result(process,
		    has_size(info->entry.nr) ? (int64_t)info->entry.args[2] : 0,
		    0);
		break;
	case SHORT:
		if (has_size(info->entry.nr) && info->entry.args[2] > 1)
			set_size(process->pid, info->entry.args[2] / 2);
		break;
	case ACTION_NONE:
		break;
	}
}

static void
enter_call(int number, const struct ptrace_syscall_info *info)
{
	struct process *process = &processes[number];
	int count = ++process->calls[info->entry.nr % CALLS_MAX];

	process->has_result = 0;
	if (log_file != NULL)
		print_call(log_file, number, info);
	if (!has_tmpfile && info->entry.nr == SYS_openat &&
	    (info->entry.args[2] & O_TMPFILE) == O_TMPFILE)
		give_result(process, -EOPNOTSUPP, 0);
	if (!is_done && number == at_process && count == at_number &&
	    strcmp(call_name(info->entry.nr), at_call) == 0)
		spoil(number, info);
}

static void
handle_call(int number)
{
	struct ptrace_syscall_info info;
	struct process *process = &processes[number];

	if (ptrace(PTRACE_GET_SYSCALL_INFO, process->pid, sizeof(info),
		&info) == -1)
		return; /* the process was killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		enter_call(number, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT && process->has_result) {
		set_result(process->pid, process->result);
		process->has_result = 0;
	}
}

/* ---- the processes ------------------------------------------------------- */

static int
find_process(pid_t pid)
{
	for (int i = process_count - 1; i >= 0; i--)
		if (processes[i].pid == pid && !processes[i].is_gone)
			return i;
	if (process_count == PROCESSES_MAX)
		errx(EXIT_TROUBLE, "too many processes");
	processes[process_count] = (struct process){ .pid = pid, .is_new = 1 };
	return process_count++;
}

/* Handle a stop of the program. Return the signal to pass on to it. */
static int
handle_stop(int number, int status)
{
	struct process *process = &processes[number];
	int signal = WSTOPSIG(status), event = status >> 16;
	unsigned long child;

	if (signal == (SIGTRAP | 0x80)) {
		handle_call(number);
		return 0;
	}
	if (event != 0) {
		if (event != PTRACE_EVENT_EXEC &&
		    ptrace(PTRACE_GETEVENTMSG, process->pid, 0, &child) == 0)
			(void)find_process((pid_t)child);
		return 0;
	}
	if (signal == SIGSTOP && process->is_new) {
		process->is_new = 0;
		return 0;
	}
	return signal;
}

/* Whether a process has to stop at its next system call. The stops take most
 * of the time; without them only new processes stop it. */
static int
is_traced(int number)
{
	return log_file != NULL || !has_tmpfile ||
	    (!is_done && number == at_process) || processes[number].has_result;
}

/* Trace until all processes have ended. Return the status of the first. */
static int
trace(void)
{
	int status, first_status = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) != -1 || errno == EINTR) {
		int number;

		if (pid == -1)
			continue;
		number = find_process(pid);
		if (WIFSTOPPED(status)) {
			int signal = handle_stop(number, status);

			(void)ptrace(is_traced(number) ? PTRACE_SYSCALL
						       : PTRACE_CONT,
			    pid, 0, signal);
			continue;
		}
		processes[number].is_gone = 1;
		if (number == 0)
			first_status = status;
	}
	return first_status;
}

static void
start(char *argv[])
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL |
	    PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
	    PTRACE_O_TRACEEXEC;
	pid_t pid = fork();
	int status;

	if (pid == -1)
		err(EXIT_TROUBLE, "fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) == -1)
			err(EXIT_TROUBLE, "PTRACE_TRACEME");
		(void)kill(getpid(), SIGSTOP);
		execv(argv[0], argv);
		err(EXIT_TROUBLE, "%s", argv[0]);
	}
	if (waitpid(pid, &status, 0) == -1 || !WIFSTOPPED(status))
		errx(EXIT_TROUBLE, "cannot trace");
	processes[find_process(pid)].is_new = 0;
	if (ptrace(PTRACE_SETOPTIONS, pid, 0, options) == -1 ||
	    ptrace(PTRACE_SYSCALL, pid, 0, 0) == -1)
		err(EXIT_TROUBLE, "ptrace");
}

static void
parse_action(const char *text)
{
	char word[16];

	/* NOLINTNEXTLINE(cert-err34-c): the test's author wrote the number */
	if (sscanf(text, "%d:%23[a-z0-9_]:%d:%15[a-z]=%d", &at_process, at_call,
		&at_number, word, &action_errno) < 4)
		errx(EXIT_TROUBLE, "%s: not PROCESS:CALL:NUMBER:ACTION", text);
	action = strcmp(word, "kill") == 0 ? KILL
	    : strcmp(word, "error") == 0   ? ERROR
	    : strcmp(word, "late") == 0    ? LATE
	    : strcmp(word, "lie") == 0     ? LIE
	    : strcmp(word, "short") == 0   ? SHORT
					   : ACTION_NONE;
	if (action == ACTION_NONE)
		errx(EXIT_TROUBLE, "%s: no such action", word);
}

int
main(int argc, char *argv[])
{
	int option, status;

	while ((option = getopt(argc, argv, "+l:ta:")) != -1) {
		switch (option) {
		case 'l':
			if ((log_file = fopen(optarg, "we")) == NULL)
				err(EXIT_TROUBLE, "%s", optarg);
			break;
		case 't':
			has_tmpfile = 0;
			break;
		case 'a':
			parse_action(optarg);
			break;
		default:
			return EXIT_TROUBLE;
		}
	}
	if (optind == argc)
		errx(EXIT_TROUBLE, "no command");
	start(argv + optind);
	status = trace();
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}
