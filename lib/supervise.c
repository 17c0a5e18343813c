/* SPDX-License-Identifier: ISC */

/*
 * supervise.c - a parent that only restarts its child.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/supervise.h"

/* Wait for the end of the child and forward signals to it. A signal of the
 * terminal reaches the child without us. */
static int
wait_for_end(pid_t child, const sigset_t *signals, bool *ret_is_stopped)
{
	siginfo_t info;
	int status;

	*ret_is_stopped = false;
	while (waitpid(child, &status, WNOHANG) == 0) {
		if (sigwaitinfo(signals, &info) <= 0 ||
		    info.si_signo == SIGCHLD)
			continue;
		*ret_is_stopped = true;
		if (info.si_code != SI_KERNEL)
			(void)kill(child, info.si_signo);
	}
	return status;
}

/* Whether a signal to stop is pending. The child may have asked for a restart
 * at the moment when the signal arrived. */
static bool
has_signal(const sigset_t *signals)
{
	static const struct timespec now = { 0 };
	siginfo_t info;
	int number;

	while ((number = sigtimedwait(signals, &info, &now)) > 0)
		if (number != SIGCHLD)
			return true;
	return false;
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
	bool is_stopped;
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
		status = wait_for_end(child, &signals, &is_stopped);
		if (!WIFEXITED(status) ||
		    WEXITSTATUS(status) != SUPERVISE_AGAIN)
			end_likewise(status, &signals);
		if (is_stopped || has_signal(&signals))
			exit(EXIT_SUCCESS);
	}
	sigprocmask(SIG_UNBLOCK, &child_only, NULL);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
	}
}
