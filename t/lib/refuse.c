/* SPDX-License-Identifier: ISC */

/*
 * refuse.c - run a program as on a kernel without Landlock or seccomp.
 *
 *	refuse landlock|seccomp|both PROGRAM [ARGUMENT...]
 *
 * The system calls fail with EPERM, as in a container whose manager does not
 * know them.
 */

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define LOAD_NUMBER \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define REFUSE(number)                                       \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static struct sock_filter landlock[] = { LOAD_NUMBER,
	REFUSE(SYS_landlock_create_ruleset), ALLOW };
static struct sock_filter calls[] = { LOAD_NUMBER, REFUSE(SYS_seccomp), ALLOW };

static void
install(struct sock_filter *filter, size_t size)
{
	struct sock_fprog fprog = {
		.len = (unsigned short)(size / sizeof(*filter)),
		.filter = filter,
	};

	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) == -1)
		err(1, "seccomp");
}

int
main(int argc, char *argv[])
{
	if (argc < 3)
		errx(2, "usage: refuse landlock|seccomp|both PROGRAM...");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err(1, "PR_SET_NO_NEW_PRIVS");
	if (strcmp(argv[1], "seccomp") != 0)
		install(landlock, sizeof(landlock));
	if (strcmp(argv[1], "landlock") != 0)
		install(calls, sizeof(calls));
	execv(argv[2], argv + 2);
	err(1, "%s", argv[2]);
}
