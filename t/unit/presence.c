/* SPDX-License-Identifier: ISC */

/*
 * presence.c - processes are counted as long as they live, and no longer,
 * however they end.
 */

#include "config.h"

#include <sys/wait.h>

#include <signal.h>

#include "lib/presence.h"
#include "t/unit/folder.h"

#define CHILDREN 20

static pid_t children[CHILDREN];

static int
open_sessions(void)
{
	int fd =
	    open(folder_at("sessions"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	need(fd >= 0);
	return fd;
}

/* Return when the child has entered. */
static pid_t
start_child(void)
{
	int ready[2];
	char octet;
	pid_t pid;

	need(pipe2(ready, O_CLOEXEC) == 0);
	need((pid = fork()) != -1);
	if (pid == 0) {
		alarm(60);
		if (presence_enter(open_sessions()) == 0)
			(void)!write(ready[1], "", 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	need(read(ready[0], &octet, 1) == 1);
	close(ready[0]);
	return pid;
}

static void
end_child(pid_t pid, int signal_number)
{
	need(kill(pid, signal_number) == 0);
	need(waitpid(pid, NULL, 0) == pid);
}

static void
is_count(int fd, int64_t expected, const char *name)
{
	uint64_t count = UINT64_MAX;

	is_int(presence_count(fd, &count), 0, "counting works");
	is_int((int64_t)count, expected, "%s", name);
}

static void
child_of_a_child_is_not_counted(int fd)
{
	pid_t pid = fork();

	need(pid != -1);
	if (pid == 0) {
		int own_fd = open_sessions();

		need(presence_enter(own_fd) == 0);
		/* The child inherits the descriptor, not the lock. */
		if (fork() == 0) {
			uint64_t count = 0;

			_exit(presence_count(own_fd, &count) == 0 && count == 1
				? 0
				: 1);
		}
		int status = 1;
		wait(&status);
		_exit(status != 0 ? 1 : 0);
	}
	int status = 1;
	need(waitpid(pid, &status, 0) == pid);
	is_int(status, 0, "a process that a session starts is not counted");
	is_count(fd, 0, "nor is any process after both have ended");
}

int
main(void)
{
	int fd;

	folder_make();
	fd = open_sessions();
	is_count(fd, 0, "at first there is no session");
	for (int i = 0; i < CHILDREN; i++)
		children[i] = start_child();
	is_count(fd, CHILDREN, "all children are counted");
	end_child(children[0], SIGKILL);
	is_count(fd, CHILDREN - 1, "a killed child disappears");
	end_child(children[1], SIGTERM);
	is_count(fd, CHILDREN - 2, "a terminated child disappears");
	is_count(fd, CHILDREN - 2, "counting changes nothing");
	for (int i = 2; i < CHILDREN; i++)
		end_child(children[i], SIGKILL);
	is_count(fd, 0, "at the end there is no session");
	child_of_a_child_is_not_counted(fd);
	close(fd);
	ok(presence_enter(-1) < 0, "without a file no process can enter");
	folder_remove();
	return done_testing();
}
