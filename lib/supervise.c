/* SPDX-License-Identifier: ISC */

/*
 * supervise.c - a parent that does nothing but start its child again.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/supervise.h"

/* Wait for the end of the child, and pass on what we are told meanwhile. A
 * terminal tells it by itself. */
static int
wait_for_end(pid_t child, const sigset_t *signals)
{
	siginfo_t info;
	int status;

	while (waitpid(child, &status, WNOHANG) == 0)
		if (sigwaitinfo(signals, &info) > 0 &&
		    info.si_signo != SIGCHLD && info.si_code != SI_KERNEL)
			(void)kill(child, info.si_signo);
	return status;
}

_Noreturn static void
end_likewise(int status, const sigset_t *signals)
{
	if (WIFSIGNALED(status)) {
		(void)signal(WTERMSIG(status), SIG_DFL);
		(void)kill(getpid(), WTERMSIG(status));
		sigprocmask(SIG_UNBLOCK, signals, NULL);
		_exit(128 + WTERMSIG(status));
	}
	exit(WEXITSTATUS(status));
}

void
supervise(void)
{
	sigset_t signals, child_only;
	pid_t parent = getpid(), child;
	int status;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGCHLD);
	sigemptyset(&child_only);
	sigaddset(&child_only, SIGCHLD);
	(void)signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	while ((child = fork()) > 0) {
		status = wait_for_end(child, &signals);
		if (!WIFEXITED(status) ||
		    WEXITSTATUS(status) != SUPERVISE_AGAIN)
			end_likewise(status, &signals);
	}
	sigprocmask(SIG_UNBLOCK, &child_only, NULL);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
	}
}
