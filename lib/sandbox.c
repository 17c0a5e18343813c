/* SPDX-License-Identifier: ISC */

/*
 * sandbox.c - enter a sandbox.
 *
 * Landlock (landlock(7)) restricts files and ports, filter.c system calls. A
 * build for sanitizers or coverage has no sandbox: their run-time libraries
 * need more than the programs do.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/filter.h"
#include "lib/sandbox.h"

/* Constants of Landlock that the headers of its first versions lack. The
 * comments give the version of the interface. */
#define FS_TRUNCATE (UINT64_C(1) << 14) /* 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* 5 */
#define NET_BIND_TCP (UINT64_C(1) << 0) /* 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1) /* 4 */
#define SCOPE_ABSTRACT_SOCKET (UINT64_C(1) << 0) /* 6 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1) /* 6 */
#define RULE_NET_PORT 2

#ifdef NO_SANDBOX
#define HAS_SANDBOX false
#else
#define HAS_SANDBOX true
#endif

#define ABI_REFER 2 /* links and moves across folders: mail needs them */
#define ABI_TRUNCATE 3
#define ABI_PORTS 4
#define ABI_IOCTL_DEV 5
#define ABI_SCOPES 6

#define FS_OF_ABI_2 \
	((LANDLOCK_ACCESS_FS_REFER << 1) - 1) /* all rights of version 2 */

struct ruleset_attr {
	uint64_t fs;
	/* cppcheck-suppress unusedStructMember ; the kernel reads it */
	uint64_t net;
	/* cppcheck-suppress unusedStructMember ; the kernel reads it */
	uint64_t scopes;
};

struct net_port_attr {
	/* cppcheck-suppress unusedStructMember ; the kernel reads it */
	uint64_t access;
	/* cppcheck-suppress unusedStructMember ; the kernel reads it */
	uint64_t port;
};

struct limits {
	rlim_t files; /* open at the same time; 0: unchanged */
	bool is_alone; /* starts no process */
};

/* File sizes are not limited: stderr can be a file that has grown large. */
static const struct limits limits[SANDBOX_ROLES] = {
	[SANDBOX_SESSION] = { 128, true },
	[SANDBOX_LISTENER] = { 0, false },
	[SANDBOX_DELIVERY] = { 0, false }, /* main() has raised the limit */
	[SANDBOX_WORKER] = { 256, true },
	[SANDBOX_STSFETCH] = { 256, true },
	[SANDBOX_HEALTH] = { 256, true },
};

static const char *const piece_names[SANDBOX_PIECES] = {
	[SANDBOX_FILES] = "Landlock with links across folders (Linux 5.19): "
			  "access to files is not restricted",
	[SANDBOX_TRUNCATE] = "Landlock for truncate(2) (Linux 6.2)",
	[SANDBOX_PORTS] = "Landlock for TCP (Linux 6.7): workers can connect "
			  "to any port",
	[SANDBOX_SCOPES] = "Landlock for signals and abstract sockets "
			   "(Linux 6.12)",
	[SANDBOX_CALLS] = "seccomp with filters: all system calls are allowed",
};

static int
get_abi(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	return version >= ABI_REFER ? (int)version : 0;
}

void
sandbox_begin(struct sandbox *sandbox, enum sandbox_role role)
{
	int abi = HAS_SANDBOX ? get_abi() : 0;
	struct ruleset_attr attr = {
		.fs = FS_OF_ABI_2,
		.net = NET_BIND_TCP | NET_CONNECT_TCP,
		.scopes = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL,
	};
	size_t size = abi >= ABI_SCOPES ? sizeof(attr)
	    : abi >= ABI_PORTS          ? offsetof(struct ruleset_attr, scopes)
					: offsetof(struct ruleset_attr, net);

	*sandbox = (struct sandbox){ .role = role, .ruleset_fd = -1 };
	if (abi == 0)
		return;
	if (abi >= ABI_TRUNCATE)
		attr.fs |= FS_TRUNCATE;
	if (abi >= ABI_IOCTL_DEV)
		attr.fs |= FS_IOCTL_DEV;
	sandbox->ruleset_fd =
	    (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (sandbox->ruleset_fd >= 0)
		sandbox->abi = abi;
}

static uint64_t
landlock_access(unsigned access)
{
	static const uint64_t rights[] = {
		LANDLOCK_ACCESS_FS_READ_FILE,
		LANDLOCK_ACCESS_FS_WRITE_FILE,
		LANDLOCK_ACCESS_FS_READ_DIR,
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER,
		LANDLOCK_ACCESS_FS_MAKE_DIR,
		LANDLOCK_ACCESS_FS_REMOVE_FILE,
		LANDLOCK_ACCESS_FS_REMOVE_DIR,
		LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
		    LANDLOCK_ACCESS_FS_MAKE_FIFO |
		    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	uint64_t all = 0;

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if ((access & (1U << i)) != 0)
			all |= rights[i];
	return all;
}

void
sandbox_allow(struct sandbox *sandbox, int fd, unsigned access)
{
	struct landlock_path_beneath_attr attr = {
		.allowed_access = landlock_access(access),
		.parent_fd = fd,
	};

	if (sandbox->ruleset_fd >= 0)
		(void)syscall(SYS_landlock_add_rule, sandbox->ruleset_fd,
		    LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

void
sandbox_allow_path(struct sandbox *sandbox, const char *path, unsigned access)
{
	struct stat st;
	int fd;

	if (sandbox->ruleset_fd == -1 ||
	    (fd = open(path, O_PATH | O_CLOEXEC)) == -1)
		return;
	if (fstat(fd, &st) == 0)
		sandbox_allow(sandbox, fd,
		    S_ISDIR(st.st_mode)
			? access
			: access & (SANDBOX_READ | SANDBOX_WRITE));
	close(fd);
}

static void
allow_port(struct sandbox *sandbox, uint64_t access, uint16_t port)
{
	struct net_port_attr attr = { access, port };

	if (sandbox->abi >= ABI_PORTS)
		(void)syscall(SYS_landlock_add_rule, sandbox->ruleset_fd,
		    RULE_NET_PORT, &attr, 0);
}

void
sandbox_allow_port(struct sandbox *sandbox, uint16_t port)
{
	allow_port(sandbox, NET_CONNECT_TCP, port);
}

void
sandbox_allow_bind(struct sandbox *sandbox)
{
	allow_port(sandbox, NET_BIND_TCP, 0);
}

static void
set_limit(unsigned resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) == -1)
		return;
	if (limit.rlim_max > value)
		limit.rlim_max = value;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(resource, &limit);
}

static void
set_limits(const struct limits *limit)
{
	set_limit(RLIMIT_CORE, 0);
	if (limit->files > 0)
		set_limit(RLIMIT_NOFILE, limit->files);
	if (limit->is_alone)
		set_limit(RLIMIT_NPROC, 0);
}

/* The pieces that a version of Landlock lacks. */
static unsigned
missing_of_abi(int abi)
{
	unsigned missing = 0;

	if (abi == 0)
		return 1U << SANDBOX_FILES;
	if (abi < ABI_TRUNCATE)
		missing |= 1U << SANDBOX_TRUNCATE;
	if (abi < ABI_PORTS)
		missing |= 1U << SANDBOX_PORTS;
	if (abi < ABI_SCOPES)
		missing |= 1U << SANDBOX_SCOPES;
	return missing;
}

unsigned
sandbox_enter(struct sandbox *sandbox)
{
	int abi = sandbox->abi;
	unsigned missing;

	if (!HAS_SANDBOX)
		return 0;
	/* Disables core dumps, and access to our memory by processes of our
	 * user. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	set_limits(&limits[sandbox->role]);
	if (sandbox->ruleset_fd >= 0) {
		if (syscall(SYS_landlock_restrict_self, sandbox->ruleset_fd,
			0) == -1)
			abi = 0;
		close(sandbox->ruleset_fd);
		sandbox->ruleset_fd = -1;
	}
	missing = missing_of_abi(abi);
	if (filter_install(sandbox->role) < 0)
		missing |= 1U << SANDBOX_CALLS;
	return missing;
}

const char *
sandbox_piece_name(enum sandbox_piece piece)
{
	return piece_names[piece];
}

static int
compare_fds(const void *a, const void *b)
{
	const int *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Close a range one by one before Linux 5.9, or if memory is short. */
static void
close_between(unsigned first, unsigned last)
{
	long end = sysconf(_SC_OPEN_MAX);

	if (close_range(first, last, 0) == 0)
		return;
	for (unsigned fd = first; fd <= last && (long)fd < end; fd++)
		(void)close((int)fd);
}

void
sandbox_keep_only(int *fds, size_t count)
{
	unsigned next = STDERR_FILENO + 1;

	qsort(fds, count, sizeof(*fds), compare_fds);
	for (size_t i = 0; i < count; i++) {
		unsigned fd = (unsigned)fds[i];

		if (fd > next)
			close_between(next, fd - 1);
		if (fd >= next)
			next = fd + 1;
	}
	close_between(next, UINT32_MAX);
}
