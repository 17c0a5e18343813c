/* SPDX-License-Identifier: ISC */

/*
 * filter.c - the system calls that each role may make (seccomp(2)).
 *
 * A table, compiled to a classic BPF program. A call that is not in it fails
 * with ENOSYS, as on a kernel without the call: C libraries of other versions
 * then fall back on an older call, while EPERM would be an error for them. The
 * process is not killed: a session can still answer with 451.
 */

#include "config.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/btrfs.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "lib/filter.h"
#include "lib/submitter.h"

/* Call numbers depend on the architecture. x32 programs on x86-64 have a bit
 * set in each number, and so no number that is in the table. */
#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#endif

#ifdef ARCHITECTURE

#define SESSION (1U << SANDBOX_SESSION)
#define LISTENER (1U << SANDBOX_LISTENER)
#define DELIVERY (1U << SANDBOX_DELIVERY)
#define WORKER (1U << SANDBOX_WORKER)
#define FETCHER (1U << SANDBOX_STSFETCH)
#define HEALTH (1U << SANDBOX_HEALTH)

/* Filters add up: a parent needs the calls of its children. */
#define SESSIONS (SESSION | LISTENER)
#define WORKERS (WORKER | FETCHER | DELIVERY)
#define PARENTS (LISTENER | DELIVERY)
#define ALL (SESSIONS | WORKERS | HEALTH)

/* A call that some roles may make; with a mask, only if the masked argument has
 * that value. A call may have several rows. */
struct call {
	int number;
	unsigned roles;
	unsigned argument;
	uint64_t mask;
	uint64_t value;
};

#define NAMESPACES                                                     \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

static const struct call calls[] = {
	/* Input and output. */
	{ SYS_read, ALL },
	{ SYS_readv, ALL },
	{ SYS_pread64, ALL },
	{ SYS_write, ALL },
	{ SYS_writev, ALL },
	{ SYS_pwrite64, ALL },
	{ SYS_pwritev, SESSIONS | DELIVERY | HEALTH },
	{ SYS_lseek, ALL },
	{ SYS_close, ALL },
	{ SYS_close_range, PARENTS | WORKER | FETCHER },
	{ SYS_fcntl, ALL },
	{ SYS_fadvise64, ALL },
	{ SYS_ppoll, ALL },
#ifdef SYS_poll
	{ SYS_poll, ALL },
#endif

	/* Files. */
	{ SYS_openat, SESSIONS | DELIVERY | FETCHER | HEALTH },
	/* Whatever Landlock permits: read-only. */
	{ SYS_openat, WORKER, 2,
	    O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), 0 },
	{ SYS_fstat, ALL },
	{ SYS_newfstatat, ALL },
	{ SYS_statx, ALL },
	{ SYS_fstatfs, ALL },
	{ SYS_statfs, ALL },
	{ SYS_readlinkat, ALL },
	{ SYS_faccessat, ALL },
	{ SYS_faccessat2, ALL },
#ifdef SYS_open
	{ SYS_open, SESSIONS | DELIVERY | FETCHER | HEALTH },
	{ SYS_open, WORKER, 1,
	    O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), 0 },
	{ SYS_stat, ALL },
	{ SYS_lstat, ALL },
	{ SYS_readlink, ALL },
	{ SYS_access, ALL },
#endif
	{ SYS_getdents64, PARENTS | WORKER | FETCHER | HEALTH },
	{ SYS_linkat, SESSIONS | DELIVERY | HEALTH },
	{ SYS_unlinkat, SESSIONS | DELIVERY | FETCHER | HEALTH },
	{ SYS_fsync, SESSIONS | DELIVERY | HEALTH },
	{ SYS_fdatasync, SESSIONS | DELIVERY | HEALTH },
	{ SYS_fallocate, SESSIONS },
	{ SYS_flock, SESSIONS | DELIVERY | HEALTH },
#ifdef SYS_renameat
	{ SYS_renameat, PARENTS | FETCHER | HEALTH },
#endif
	{ SYS_renameat2, PARENTS | FETCHER | HEALTH },
	{ SYS_mkdirat, PARENTS | HEALTH },
#ifdef SYS_mkdir
	{ SYS_mkdir, PARENTS | HEALTH },
#endif
	{ SYS_utimensat, PARENTS | HEALTH },
	{ SYS_inotify_add_watch, DELIVERY },
	{ SYS_inotify_init1, DELIVERY },
	{ SYS_inotify_rm_watch, DELIVERY },

	/* Sockets. A session uses its own, and writes to no other. */
	{ SYS_sendto, SESSION | HEALTH, 4, UINT64_MAX, 0 },
	{ SYS_sendto, LISTENER | WORKERS },
	{ SYS_recvfrom, ALL },
	{ SYS_shutdown, ALL },
	{ SYS_getsockopt, ALL },
	{ SYS_setsockopt, ALL },
	{ SYS_getsockname, ALL },
	{ SYS_getpeername, ALL },
	{ SYS_socket, LISTENER | WORKERS, 0, UINT32_MAX, AF_UNIX },
	{ SYS_socket, WORKERS, 0, UINT32_MAX, AF_INET },
	{ SYS_socket, WORKERS, 0, UINT32_MAX, AF_INET6 },
	/* For SMTP_BIND_ADDRESS; listen(2) is not permitted. */
	{ SYS_bind, WORKER | DELIVERY },
	{ SYS_connect, LISTENER | WORKERS },
	{ SYS_sendmsg, LISTENER | WORKERS | HEALTH },
	{ SYS_sendmmsg, WORKERS },
	{ SYS_recvmsg, LISTENER | WORKERS },
	{ SYS_recvmmsg, WORKERS },
	{ SYS_ioctl, WORKERS, 1, UINT32_MAX, FIONREAD }, /* the resolver's */
	{ SYS_ioctl, DELIVERY, 1, UINT32_MAX, BTRFS_IOC_START_SYNC },
	{ SYS_ioctl, DELIVERY, 1, UINT32_MAX, BTRFS_IOC_WAIT_SYNC },
	{ SYS_ioctl, LISTENER, 1, UINT32_MAX, SUBMITTER_PIDFD_GET_INFO },
	{ SYS_socketpair, PARENTS },
	{ SYS_accept4, LISTENER | HEALTH },
	{ SYS_accept, LISTENER | HEALTH },
	{ SYS_pselect6, LISTENER | HEALTH },
#ifdef SYS_select
	{ SYS_select, LISTENER | HEALTH },
#endif
	{ SYS_epoll_create1, LISTENER | WORKERS | HEALTH },
	{ SYS_epoll_ctl, LISTENER | WORKERS | HEALTH },
	{ SYS_epoll_pwait, LISTENER | WORKERS | HEALTH },
#ifdef SYS_epoll_wait
	{ SYS_epoll_wait, LISTENER | WORKERS | HEALTH },
#endif
	{ SYS_eventfd2, LISTENER | HEALTH },
	{ SYS_pipe2, LISTENER | HEALTH },
	{ SYS_signalfd4, LISTENER },
	{ SYS_timerfd_create, LISTENER },
	{ SYS_timerfd_settime, LISTENER },

	/* Memory: none can be made executable, except by workers and their
	 * fetchers, whose resolver loads modules. */
	{ SYS_brk, ALL },
	{ SYS_mmap, WORKERS },
	{ SYS_mmap, SESSIONS | HEALTH, 2, PROT_EXEC, 0 },
	{ SYS_mprotect, WORKERS },
	{ SYS_mprotect, SESSIONS | HEALTH, 2, PROT_EXEC, 0 },
	{ SYS_mremap, ALL },
	{ SYS_munmap, ALL },
	{ SYS_madvise, ALL },

	/* Time, random numbers, signals, exit. */
	{ SYS_clock_gettime, ALL },
	{ SYS_clock_nanosleep, ALL },
	{ SYS_gettimeofday, ALL },
	{ SYS_nanosleep, ALL },
#ifdef SYS_time
	{ SYS_time, ALL },
#endif
	{ SYS_getrandom, ALL },
	{ SYS_futex, ALL },
	{ SYS_sched_yield, ALL },
	{ SYS_rt_sigaction, ALL },
	{ SYS_rt_sigprocmask, ALL },
	{ SYS_rt_sigreturn, ALL },
	{ SYS_rt_sigsuspend, LISTENER },
	{ SYS_rt_sigtimedwait, LISTENER },
	{ SYS_restart_syscall, ALL },
	{ SYS_exit, ALL },
	{ SYS_exit_group, ALL },

	/* Identity. */
	{ SYS_getpid, ALL },
	{ SYS_gettid, ALL },
	{ SYS_getppid, PARENTS },
	{ SYS_getuid, ALL },
	{ SYS_geteuid, ALL },
	{ SYS_getgid, ALL },
	{ SYS_getegid, ALL },
	{ SYS_getrusage, ALL },
	{ SYS_sysinfo, ALL },
	{ SYS_uname, ALL },

	/* Children, and a narrower sandbox for them. */
	{ SYS_clone, PARENTS, 0, NAMESPACES, 0 },
	{ SYS_set_robust_list, PARENTS },
#ifdef SYS_rseq
	{ SYS_rseq, PARENTS },
#endif
	{ SYS_wait4, PARENTS },
	{ SYS_waitid, PARENTS },
	{ SYS_kill, LISTENER },
	{ SYS_prctl, PARENTS },
	{ SYS_prlimit64, PARENTS },
	{ SYS_seccomp, PARENTS },
	{ SYS_landlock_create_ruleset, PARENTS },
	{ SYS_landlock_add_rule, PARENTS },
	{ SYS_landlock_restrict_self, PARENTS },
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))
#define ROW_MAX 9 /* the most instructions of a row */

/* The data that the program reads. Arguments are in the machine's byte order,
 * which is little-endian on all of the architectures above. */
#define NUMBER_AT offsetof(struct seccomp_data, nr)
#define ARCHITECTURE_AT offsetof(struct seccomp_data, arch)
#define LOW_AT(argument) (offsetof(struct seccomp_data, args) + 8 * (argument))
#define HIGH_AT(argument) (LOW_AT(argument) + 4)

struct filter_program {
	unsigned short length;
	bool is_number_loaded;
	struct sock_filter instructions[CALLS * ROW_MAX + 8];
};

static void
add(struct filter_program *program, unsigned code, uint64_t k, unsigned if_so,
    unsigned if_not)
{
	program->instructions[program->length++] = (struct sock_filter){
		.code = (unsigned short)code,
		.jt = (unsigned char)if_so,
		.jf = (unsigned char)if_not,
		.k = (uint32_t)k,
	};
}

static void
load(struct filter_program *program, size_t offset)
{
	add(program, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

/* Continue if the loaded value is equal, else skip some instructions. */
static void
require(struct filter_program *program, uint64_t value, unsigned skip)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip);
}

static void
answer(struct filter_program *program, uint32_t action)
{
	add(program, BPF_RET | BPF_K, action, 0, 0);
}

static void
add_row(struct filter_program *program, const struct call *call)
{
	bool has_high = call->mask > UINT32_MAX;
	unsigned skip = call->mask == 0 ? 1 : has_high ? 7 : 4;

	if (!program->is_number_loaded)
		load(program, NUMBER_AT);
	program->is_number_loaded = call->mask == 0;
	require(program, (uint64_t)call->number, skip);
	if (has_high) {
		load(program, HIGH_AT(call->argument));
		add(program, BPF_ALU | BPF_AND | BPF_K, call->mask >> 32, 0, 0);
		require(program, call->value >> 32, 4);
	}
	if (call->mask != 0) {
		load(program, LOW_AT(call->argument));
		add(program, BPF_ALU | BPF_AND | BPF_K, call->mask, 0, 0);
		require(program, call->value, 1);
	}
	answer(program, SECCOMP_RET_ALLOW);
}

static void
write_program(enum sandbox_role role, struct filter_program *ret_program)
{
	ret_program->length = 0;
	ret_program->is_number_loaded = false;
	load(ret_program, ARCHITECTURE_AT);
	require(ret_program, ARCHITECTURE, 1);
	add(ret_program, BPF_JMP | BPF_JA, 1, 0, 0);
	answer(ret_program, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < CALLS; i++)
		if ((calls[i].roles & (1U << role)) != 0)
			add_row(ret_program, &calls[i]);
	answer(ret_program, SECCOMP_RET_ERRNO | ENOSYS);
}

int
filter_install(enum sandbox_role role)
{
	struct filter_program program;
	struct sock_fprog fprog = { .filter = program.instructions };

	write_program(role, &program);
	fprog.len = program.length;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == -1)
		return errno == EINVAL ? -ENOSYS : -errno;
	return 0;
}

#else

int
filter_install(enum sandbox_role role)
{
	(void)role;
	return -ENOSYS;
}

#endif
