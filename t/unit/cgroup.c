/* SPDX-License-Identifier: ISC */

/*
 * cgroup.c - a control group's unit is the one that sd_pid_get_unit(3) names,
 * by its path, by a process, and by its id.
 */

#include "config.h"

#include "lib/cgroup.h"
#include "t/unit/folder.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define NONE "(none)"
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X250 X50 X50 X50 X50 X50
#define MANY 1500

/* clang-format off */
static const struct { const char *path, *unit; } locations[] = {
	{ "/system.slice/apache2.service", "apache2.service" },
	{ "/system.slice/apache2.service/", "apache2.service" },
	{ "/system.slice/apache2.service/worker", "apache2.service" },
	{ "/system.slice/apache2.service/other.service", "apache2.service" },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service" },
	{ "/user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "user@1000.service" },
	{ "/init.scope", "init.scope" },
	{ "/a.slice/a-b.slice/x.service", "x.service" },
	{ "//system.slice//x.service", "x.service" },
	{ "/system.slice/dev-sda.swap", "dev-sda.swap" },
	{ "/system.slice/x.socket", "x.socket" },
	{ "/system.slice/var-lib.mount", "var-lib.mount" },
	{ "/system.slice/home-a\\x2db.mount", "home-a\\x2db.mount" },

	/* "_" is before names that a file of the kernel might have. */
	{ "/system.slice/_cpu.service", "cpu.service" },
	{ "/system.slice/__cpu.service", "_cpu.service" },
	{ "/_system.slice/x.service", "x.service" },

	{ "", NULL },
	{ "/", NULL },
	{ "x.service", "x.service" },
	{ "/system.slice", NULL },
	{ "/system.slice/", NULL },
	{ "/docker/0123456789abcdef", NULL },
	{ "/docker/x.service", NULL },
	{ "/../system.slice/x.service", NULL },
	{ "/system.slice/../x.service", NULL },
	{ "/system.slice/.service", NULL },
	{ "/system.slice/_.service", NULL },
	{ "/system.slice/x.timer", NULL },
	{ "/system.slice/x", NULL },
	{ "/system.slice/@x.service", NULL },
	{ "/system.slice/x@.service", NULL },
	{ "/system.slice/x.service (deleted)", NULL },
	{ "/system.slice/x y.service", NULL },
	{ "/system.slice/x\ny.service", NULL },
	{ "/system.slice/x\r\nSubject: y.service", NULL },
	{ "/system.slice/x\ty.service", NULL },
	{ "/system.slice/x\x7f.service", NULL },
	{ "/system.slice/gr\xc3\xbcn.service", NULL },
	{ "/system.slice/x=y.service", NULL },
	{ "/system.slice/x\"y.service", NULL },
	{ "/system.slice/x%y.service", NULL },

	/* 255 octets are the most. */
	{ "/system.slice/" X50 X50 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.service",
	  X50 X50 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.service" },
	{ "/system.slice/" X50 X50 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.service", NULL },
	{ "/system.slice/" X250 X250 X250 X250 ".service", NULL },
};

static const struct { const char *text, *unit; } processes[] = {
	{ "0::/system.slice/x.service\n", "x.service" },
	{ "0::/system.slice/x.service", "x.service" },
	{ "2:cpu:/y.service\n1:name=systemd:/system.slice/x.service\n0::/\n", "x.service" },
	{ "1:name=systemd:/\n0::/system.slice/x.service\n", "x.service" },
	{ "4:memory:/system.slice/x.service\n", NULL },
	{ "0::/\n", NULL },
	{ "0::\n", NULL },
	{ "0:\n", NULL },
	{ "::", NULL },
	{ "\n\n", NULL },
	{ "", NULL },
};

static const struct { const char *path, *unit; } folders[] = {
	{ "system.slice/x.service", "x.service" },
	{ "system.slice/x.service/below", "x.service" },
	{ "system.slice/system-y.slice/y@1.service", "y@1.service" },
	{ "system.slice", NULL },
	{ "system.slice/system-y.slice", NULL },
	{ "user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
	{ "user.slice/user-1000.slice/user@1000.service/app.slice/z.service", "user@1000.service" },
	{ "user.slice/user-1000.slice/user@1000.service/app.slice", "user@1000.service" },
	{ "user.slice/user-7.slice/session-4.scope", "session-4.scope" },
	{ "init.scope", "init.scope" },
	{ "docker/x.service", NULL },
};
/* clang-format on */

/* Make the folders on the way to it, too. Returns the last one's id. */
static uint64_t
make_folders(const char *path)
{
	char copy[PATH_MAX];
	struct stat st;

	(void)strlcpy(copy, folder_at("%s", path), sizeof(copy));
	for (char *p = copy + strlen(folder_path) + 1; *p != '\0'; p++)
		if (*p == '/') {
			*p = '\0';
			(void)mkdir(copy, 0755);
			*p = '/';
		}
	(void)mkdir(copy, 0755);
	need(stat(copy, &st) == 0);
	return st.st_ino;
}

static const char *
find(uint64_t id, uid_t uid)
{
	static char unit[CGROUP_UNIT_SIZE];

	return cgroup_find_unit(folder_path, id, uid, unit) ? unit : NONE;
}

static void
ids_have_units(void)
{
	uint64_t ids[COUNT(folders)];
	struct stat st;

	for (size_t i = 0; i < COUNT(folders); i++)
		ids[i] = make_folders(folders[i].path);
	for (size_t i = 0; i < COUNT(folders); i++) {
		const char *unit =
		    folders[i].unit != NULL ? folders[i].unit : NONE;

		is_str(find(ids[i], 0), unit, "%s, of root", folders[i].path);
		is_str(find(ids[i], 1000), unit, "%s, of user 1000",
		    folders[i].path);
	}
	is_str(find(1, 0), NONE, "an id that is not there has no unit");
	is_str(find(0, 1000), NONE, "nor has 0");
	need(stat(folder_path, &st) == 0);
	is_str(find(st.st_ino, 0), NONE, "nor has the tree itself");
	ok(!cgroup_find_unit("/nonexistent", 1, 0,
	       (char[CGROUP_UNIT_SIZE]){ "" }),
	    "without a tree there is none");
}

/* Users can make any number of control groups below their service managers. */
static void
search_is_bounded(void)
{
	uint64_t id = 0;

	for (int i = 0; i < MANY; i++) {
		char path[96];

		(void)snprintf(path, sizeof(path),
		    "user.slice/user-1000.slice/user@1000.service/%d/a/b", i);
		id = make_folders(path);
	}
	is_str(find(id, 33), NONE, "a search ends");
	is_str(find(make_folders("system.slice/last.service"), 33),
	    "last.service", "another user's unit is found all the same");
	id = make_folders("machine.slice/last.scope/a/b/c/d/e.service");
	is_str(find(id, 33), "last.scope", "so is one far below its unit");
	is_str(find(id, 2000), "last.scope", "and one of a user");
}

int
main(void)
{
	char unit[CGROUP_UNIT_SIZE];

	for (size_t i = 0; i < COUNT(locations); i++)
		is_str(cgroup_get_unit(locations[i].path, unit) ? unit : NONE,
		    locations[i].unit != NULL ? locations[i].unit : NONE,
		    "path %.60s", locations[i].path);
	for (size_t i = 0; i < COUNT(processes); i++)
		is_str(cgroup_get_unit_of_process(processes[i].text, unit)
			? unit
			: NONE,
		    processes[i].unit != NULL ? processes[i].unit : NONE,
		    "process %s", processes[i].text);
	folder_make();
	ids_have_units();
	search_is_bounded();
	folder_remove();
	return done_testing();
}
