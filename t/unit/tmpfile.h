/* SPDX-License-Identifier: ISC */

#ifndef TMPFILE_H
#define TMPFILE_H

/*
 * Forbid O_TMPFILE to this process, so that openat(2) fails with EOPNOTSUPP, as
 * on file systems without it (network and FUSE ones).
 */

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "t/unit/tap.h"

/* The low half of openat(2)'s third argument. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OPEN_FLAGS offsetof(struct seccomp_data, args[2])
#else
#define OPEN_FLAGS (offsetof(struct seccomp_data, args[2]) + 4)
#endif

static inline void
forbid_tmpfile(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OPEN_FLAGS),
		/* O_TMPFILE has O_DIRECTORY's bit as well. */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K,
		    O_TMPFILE & ~(unsigned)O_DIRECTORY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	int fd;

	need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	need(fd == -1 && errno == EOPNOTSUPP);
}

#endif
