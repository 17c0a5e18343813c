/* SPDX-License-Identifier: ISC */

/*
 * privileges.c - a process of root becomes the owner of a path for good, and
 * keeps its death signal. Any other process keeps its identity.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <grp.h>
#include <signal.h>

#include "lib/privileges.h"
#include "t/unit/folder.h"

#define OWNER_UID 65533
#define OWNER_GID 65532

struct identity {
	int result; /* of the call */
	uid_t uid, effective_uid, saved_uid;
	gid_t gid, effective_gid, saved_gid;
	int group_count;
	int death_signal;
	int result_back; /* of an attempt to become root again */
};

static struct identity
get_identity(const char *path)
{
	struct identity identity = { .result = privileges_become_owner(path) };

	need(getresuid(&identity.uid, &identity.effective_uid,
		 &identity.saved_uid) == 0);
	need(getresgid(&identity.gid, &identity.effective_gid,
		 &identity.saved_gid) == 0);
	need((identity.group_count = getgroups(0, NULL)) >= 0);
	need(prctl(PR_GET_PDEATHSIG, &identity.death_signal) == 0);
	identity.result_back = setuid(0);
	return identity;
}

/* In a child: become the owner, and write the resulting identity. */
_Noreturn static void
write_identity(const char *path, int fd)
{
	const gid_t groups[] = { 0, 1 };
	struct identity identity;

	if (geteuid() == 0)
		need(setgroups(2, groups) == 0);
	need(prctl(PR_SET_PDEATHSIG, SIGTERM) == 0);
	identity = get_identity(path);
	need(write(fd, &identity, sizeof(identity)) == sizeof(identity));
	_exit(0);
}

/* Call it in a child, because the change is permanent. */
static struct identity
become_owner(const char *path)
{
	struct identity identity;
	int pipe_fds[2], status;
	pid_t pid;

	need(pipe2(pipe_fds, O_CLOEXEC) == 0);
	need((pid = fork()) != -1);
	if (pid == 0)
		write_identity(path, pipe_fds[1]);
	close(pipe_fds[1]);
	need(
	    read(pipe_fds[0], &identity, sizeof(identity)) == sizeof(identity));
	close(pipe_fds[0]);
	need(waitpid(pid, &status, 0) == pid && status == 0);
	return identity;
}

static void
is_owner(const struct identity *identity, uid_t uid, gid_t gid)
{
	is_int(identity->result, 0, "it succeeds");
	is_int(identity->uid, uid, "the real user");
	is_int(identity->effective_uid, uid, "the effective user");
	is_int(identity->saved_uid, uid, "the saved user");
	is_int(identity->gid, gid, "the real group");
	is_int(identity->effective_gid, gid, "the effective group");
	is_int(identity->saved_gid, gid, "the saved group");
	is_int(identity->death_signal, SIGTERM, "the death signal stays");
}

static void
root_becomes_the_owner(void)
{
	struct identity identity;

	need(mkdir(folder_at("owned"), 0700) == 0);
	need(chown(folder_at("owned"), OWNER_UID, OWNER_GID) == 0);
	identity = become_owner(folder_at("owned"));
	is_owner(&identity, OWNER_UID, OWNER_GID);
	is_int(identity.group_count, 0, "no other group is left");
	is_int(identity.result_back, -1, "root cannot be regained");
}

static void
nothing_changes(const char *path, const char *what)
{
	struct identity identity = become_owner(path);

	ok(true, "%s:", what);
	is_owner(&identity, geteuid(), getegid());
	if (geteuid() == 0)
		is_int(identity.group_count, 2, "the groups stay");
}

int
main(void)
{
	folder_make();
	nothing_changes(folder_path, "a folder of our own");
	nothing_changes(folder_at("missing"), "a path that does not exist");
	folder_write("file", "", 0);
	nothing_changes(folder_at("file/below"), "a path below a file");
	if (geteuid() == 0)
		root_becomes_the_owner();
	folder_remove();
	return done_testing();
}
