/* SPDX-License-Identifier: ISC */

#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/*
 * A sandbox around this process. Once entered it cannot be left, neither by the
 * process nor by what it starts. DESIGN has the table of each role's rights.
 *
 *	sandbox_begin(&sandbox, SANDBOX_SESSION);
 *	sandbox_allow(&sandbox, folder_fd, SANDBOX_MAKE | SANDBOX_REMOVE);
 *	missing = sandbox_enter(&sandbox);
 *
 * Open descriptors stay usable as before.
 */

/* The purpose of a process, which decides the system calls that it needs. */
enum sandbox_role {
	SANDBOX_SESSION, /* one dialogue */
	SANDBOX_LISTENER, /* accepts, and forks sessions */
	SANDBOX_DELIVERY, /* works through the queue, and forks workers */
	SANDBOX_WORKER, /* talks to remote hosts */
	SANDBOX_STSFETCH, /* fetches policies of domains */
	SANDBOX_HEALTH, /* answers HTTP */
	SANDBOX_ROLES,
};

/* What may be done to the files below a folder, or to one file. */
enum sandbox_access {
	SANDBOX_READ = 1 << 0, /* open for reading */
	SANDBOX_WRITE = 1 << 1, /* open for writing */
	SANDBOX_LIST = 1 << 2, /* read folders */
	SANDBOX_MAKE = 1 << 3, /* make names of files */
	SANDBOX_MAKE_FOLDERS = 1 << 4,
	SANDBOX_REMOVE = 1 << 5, /* remove names of files */
	SANDBOX_REMOVE_FOLDERS = 1 << 6,
	SANDBOX_MAKE_ODD = 1 << 7, /* make links, sockets and pipes */
	SANDBOX_ALL = (1 << 8) - 1,
};

/* Parts of a sandbox that a kernel may lack. */
enum sandbox_piece {
	SANDBOX_FILES, /* Landlock, with links and moves across folders */
	SANDBOX_TRUNCATE, /* Landlock: cutting files short */
	SANDBOX_PORTS, /* Landlock: ports of TCP */
	SANDBOX_SCOPES, /* Landlock: signals, abstract sockets */
	SANDBOX_CALLS, /* seccomp */
	SANDBOX_PIECES,
};

struct sandbox {
	enum sandbox_role role;
	int abi; /* of Landlock; 0: there is none */
	int ruleset_fd; /* -1 without Landlock */
};

/*
 * Begin a sandbox in which no file can be opened, no folder changed and no TCP
 * port connected to. sandbox_enter() reports a kernel without Landlock.
 */
void sandbox_begin(struct sandbox *sandbox, enum sandbox_role role);

/* Allow access below an open folder, or to an open file, which takes no rights
 * that are for folders. */
void sandbox_allow(struct sandbox *sandbox, int fd, unsigned access);

/* Allow access by a path. A path that leads nowhere is ignored. */
void sandbox_allow_path(struct sandbox *sandbox, const char *path,
    unsigned access);

/* Allow TCP connections to a port of any host; allow binding to a local address
 * with a port that the kernel chooses. */
void sandbox_allow_port(struct sandbox *sandbox, uint16_t port);
void sandbox_allow_bind(struct sandbox *sandbox);

/*
 * Enter it, with all restrictions that need no rule: no core dump, no tracing,
 * no new privileges, few system calls, no files over the limit.
 *
 * Never fails: mail flows on any kernel. Returns the missing pieces as bits,
 * 1 << enum sandbox_piece; 0 is a complete sandbox.
 */
unsigned sandbox_enter(struct sandbox *sandbox);

/* A missing piece in words, for administrators. */
const char *sandbox_piece_name(enum sandbox_piece piece);

/* Close all descriptors but 0, 1, 2 and these, which are sorted by this. */
void sandbox_keep_only(int *fds, size_t count);

#endif
