/* SPDX-License-Identifier: ISC */

#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/*
 * The wall around a process: once closed it cannot be opened again, neither by
 * the process nor by what it starts. DESIGN has the table of who may what.
 *
 *	sandbox_begin(&sandbox, SANDBOX_SESSION);
 *	sandbox_allow(&sandbox, folder_fd, SANDBOX_MAKE | SANDBOX_REMOVE);
 *	missing = sandbox_enter(&sandbox);
 *
 * What is open already stays open, and can be used as before.
 */

/* What a process is there for, and so which system calls it needs. */
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
	SANDBOX_MAKE = 1 << 3, /* give a file a name there */
	SANDBOX_MAKE_FOLDERS = 1 << 4,
	SANDBOX_REMOVE = 1 << 5, /* take its name away */
	SANDBOX_REMOVE_FOLDERS = 1 << 6,
	SANDBOX_MAKE_ODD = 1 << 7, /* the same for links, sockets and pipes */
	SANDBOX_ALL = (1 << 8) - 1,
};

/* Pieces of a wall that a kernel may lack. */
enum sandbox_piece {
	SANDBOX_FILES, /* Landlock, and that names can be made across folders */
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
 * Begin a wall in which no file may be opened, no folder changed and no TCP
 * port connected to. A kernel without Landlock is fine: sandbox_enter() tells.
 */
void sandbox_begin(struct sandbox *sandbox, enum sandbox_role role);

/* Except from that what is below an open folder, or an open file. For rights
 * that only folders can have, files are no place. */
void sandbox_allow(struct sandbox *sandbox, int fd, unsigned access);

/* The same by a path. One that leads nowhere is nothing to be allowed. */
void sandbox_allow_path(struct sandbox *sandbox, const char *path,
    unsigned access);

/* Connections by TCP to a port, of whatever host; and from an address of ours,
 * by a port that the kernel chooses. */
void sandbox_allow_port(struct sandbox *sandbox, uint16_t port);
void sandbox_allow_bind(struct sandbox *sandbox);

/*
 * Close it, with all that needs no rule: no core dump, nobody looks into the
 * process, no new privileges, few system calls, no files over the limit.
 *
 * Never fails: mail is to flow on any kernel. Returns the pieces that are
 * missing, bits 1 << enum sandbox_piece; 0 is a whole wall.
 */
unsigned sandbox_enter(struct sandbox *sandbox);

/* What to tell an administrator of a piece that is missing. */
const char *sandbox_piece_name(enum sandbox_piece piece);

/* Close all descriptors but these, which get sorted, and 0, 1 and 2. */
void sandbox_keep_only(int *fds, size_t count);

#endif
