/* SPDX-License-Identifier: ISC */

/*
 * privileges.c - give up root's privileges.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/privileges.h"

static uid_t acting_uid; /* root acts as this user; 0: it does not */

static int
become(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return -errno;
	return 0;
}

/* The kernel clears the parent-death signal of a process when its user changes;
 * the parent may have died before the signal is set again. */
static int
become_with_death_signal(uid_t uid, gid_t gid)
{
	pid_t parent = getppid();
	int death_signal = 0, r;

	(void)prctl(PR_GET_PDEATHSIG, &death_signal);
	if ((r = become(uid, gid)) < 0)
		return r;
	(void)prctl(PR_SET_PDEATHSIG, death_signal);
	if (death_signal != 0 && getppid() != parent)
		(void)raise(death_signal);
	return 0;
}

int
privileges_become_owner(const char *path)
{
	struct stat st;

	if (geteuid() != 0 || stat(path, &st) == -1 || st.st_uid == 0)
		return 0;
	return become_with_death_signal(st.st_uid, st.st_gid);
}

/* Going on with the wrong user's rights is not an option. */
static void
must(bool is_done)
{
	if (!is_done)
		abort();
}

/* Take the groups of a user, as the units give them to the programs. */
static int
join_groups(uid_t uid, gid_t gid)
{
	const struct passwd *user = getpwuid(uid);

	return user != NULL ? initgroups(user->pw_name, gid)
			    : setgroups(0, NULL);
}

int
privileges_act_as_owner(const char *path)
{
	struct stat st;

	if (geteuid() != 0 || stat(path, &st) == -1 || st.st_uid == 0)
		return 0;
	if (join_groups(st.st_uid, st.st_gid) == -1 ||
	    setegid(st.st_gid) == -1 || seteuid(st.st_uid) == -1)
		return -errno;
	acting_uid = st.st_uid;
	return 0;
}

void
privileges_act_as_self(void)
{
	if (acting_uid == 0)
		return;
	must(seteuid(0) == 0 && setegid(0) == 0);
	acting_uid = 0;
}

int
privileges_open_as_self(const char *path, int flags)
{
	int fd, error;

	if (acting_uid != 0)
		must(seteuid(0) == 0);
	fd = open(path, flags);
	error = errno;
	if (acting_uid != 0)
		must(seteuid(acting_uid) == 0);
	return fd == -1 ? -error : fd;
}
