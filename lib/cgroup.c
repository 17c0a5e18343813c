/* SPDX-License-Identifier: ISC */

/*
 * cgroup.c - the systemd unit that a control group belongs to.
 *
 * libsystemd has sd_pid_get_unit(3), but finds no control group by its id, and
 * loading it would cost a short session more than all that it does.
 */

#include "config.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cgroup.h"

#define CALLS_MAX 2000
#define QUEUE_SIZE 65536 /* some 1000 paths */
#define FIRST_USER 1000 /* the uid; those below are mostly services' */
#define LISTING_SIZE 16384
#define CGROUP_PATH_SIZE 1024

#define UNIT_CHARACTERS                                         \
	"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ" \
	"RSTUVWXYZ:-_.\\@"

/* Kinds of units that have processes. */
static const char *const kinds[] = { ".service", ".scope", ".socket", ".mount",
	".swap" };

/* Folders to search. */
struct queue {
	size_t used; /* octets */
	char paths[QUEUE_SIZE]; /* "/a.slice\0/b.slice\0" */
};

/* A search for a control group by its id. */
struct search {
	uint64_t id;
	uid_t uid; /* of its processes */
	int root_fd;
	int calls; /* that it may still make */
	struct queue system;
	struct queue users; /* other users: they can make any number */
};

/* A listing of a folder, read piece by piece. */
struct listing {
	int fd;
	ssize_t length;
	ssize_t used;
	_Alignas(struct dirent64) char text[LISTING_SIZE];
};

/* ---- names --------------------------------------------------------------- */

static bool
ends_in(const char *name, size_t length, const char *suffix)
{
	size_t n = strlen(suffix);

	return length > n && memcmp(name + length - n, suffix, n) == 0;
}

/* Whether these octets can be a unit's name. "@" is followed by an instance. */
static bool
is_name(const char *name, size_t length)
{
	const char *at = memchr(name, '@', length);

	for (size_t i = 0; i < length; i++)
		if (name[i] == '\0' || strchr(UNIT_CHARACTERS, name[i]) == NULL)
			return false;
	return length > 0 && length < CGROUP_UNIT_SIZE && name[0] != '.' &&
	    at != name && (at == NULL || (at[1] != '.' && at[1] != '\0'));
}

static bool
is_slice(const char *name, size_t length)
{
	return ends_in(name, length, ".slice") && is_name(name, length);
}

static bool
is_unit(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (ends_in(name, length, kinds[i]))
			return is_name(name, length);
	return false;
}

bool
is_cgroup_unit(const char *name)
{
	return is_unit(name, strlen(name));
}

/* Names that could be taken for a file of the kernel have a "_" before them. */
static size_t
unescape(const char **name, size_t length)
{
	if (length == 0 || **name != '_')
		return length;
	++*name;
	return length - 1;
}

/* The unit of a component that is no slice. */
static bool
get_unit(const char *name, size_t length, char ret_unit[CGROUP_UNIT_SIZE])
{
	length = unescape(&name, length);
	if (!is_unit(name, length))
		return false;
	memcpy(ret_unit, name, length);
	ret_unit[length] = '\0';
	return true;
}

static bool
is_slice_component(const char *name, size_t length)
{
	length = unescape(&name, length);
	return is_slice(name, length);
}

bool
cgroup_get_unit(const char *path, char ret_unit[CGROUP_UNIT_SIZE])
{
	size_t length;

	for (;; path += length) {
		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (!is_slice_component(path, length))
			return get_unit(path, length, ret_unit);
	}
}

/* ---- processes ----------------------------------------------------------- */

/* A line has "number:controllers:path"; the controllers of version 2 are "",
 * and systemd's own tree of version 1 is "name=systemd". The former comes last,
 * but has no path where a host uses the latter. */
bool
cgroup_get_unit_of_process(const char *text, char ret_unit[CGROUP_UNIT_SIZE])
{
	bool has_unit = false;
	const char *colon;
	char line[4096];

	while (!has_unit && *text != '\0') {
		size_t length = strcspn(text, "\n");

		(void)snprintf(line, sizeof(line), "%.*s", (int)length, text);
		colon = strchr(line, ':');
		if (colon != NULL && strncmp(colon, "::/", 3) == 0)
			has_unit = cgroup_get_unit(colon + 2, ret_unit);
		else if (colon != NULL &&
		    strncmp(colon, ":name=systemd:/", 15) == 0)
			has_unit = cgroup_get_unit(colon + 14, ret_unit);
		text += length + (text[length] == '\n');
	}
	return has_unit;
}

/* ---- ids ----------------------------------------------------------------- */

const char *
cgroup_root(void)
{
	/* Beside the trees of version 1. */
	return access("/sys/fs/cgroup/unified", F_OK) == 0
	    ? "/sys/fs/cgroup/unified"
	    : "/sys/fs/cgroup";
}

static bool
may_call(struct search *search)
{
	return search->calls > 0 && search->calls-- > 0;
}

/* Get the name of the next folder, and its id. */
static const char *
next_folder(struct search *search, struct listing *listing, uint64_t *ret_id)
{
	for (;;) {
		const struct dirent64 *dirent;

		if (listing->used >= listing->length) {
			listing->used = 0;
			listing->length = may_call(search)
			    ? syscall(SYS_getdents64, listing->fd,
				  listing->text, sizeof(listing->text))
			    : 0;
			if (listing->length <= 0)
				return NULL;
		}
		dirent = (const void *)(listing->text + listing->used);
		listing->used += dirent->d_reclen;
		if (dirent->d_type == DT_DIR && dirent->d_name[0] != '.') {
			*ret_id = dirent->d_ino;
			return dirent->d_name;
		}
	}
}

/* Whether a folder has folders: each has a link to it. */
static bool
has_folders(struct search *search, int folder_fd, const char *name)
{
	struct stat st;

	return may_call(search) &&
	    fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_nlink != 2;
}

/* Remember a folder below another one, to search it later. */
static void
queue_folder(struct queue *queue, const char *parent, const char *name)
{
	size_t room = QUEUE_SIZE - queue->used;
	int length =
	    snprintf(queue->paths + queue->used, room, "%s/%s", parent, name);

	if (length < CGROUP_PATH_SIZE && (size_t)length < room)
		queue->used += (size_t)length + 1;
}

/* Whether the folder is that of another user's service manager. */
static bool
is_of_other_user(const struct search *search, const char *name)
{
	char own[32];

	(void)snprintf(own, sizeof(own), "user@%u.service", search->uid);
	return strncmp(name, "user@", 5) == 0 && strcmp(name, own) != 0;
}

/* Find the id among the folders of a listing. */
static bool
find_in_listing(struct search *search, struct listing *listing,
    const char *parent, char ret_path[CGROUP_PATH_SIZE])
{
	const char *name;
	uint64_t id;

	while ((name = next_folder(search, listing, &id)) != NULL)
		if (id == search->id)
			return snprintf(ret_path, CGROUP_PATH_SIZE, "%s/%s",
				   parent, name) < CGROUP_PATH_SIZE;
	return false;
}

/* Queue the folders of a listing. */
static void
queue_listing(struct search *search, struct listing *listing,
    const char *parent, struct queue *queue)
{
	const char *name;
	uint64_t id;

	listing->used = listing->length = 0;
	if (!may_call(search) || lseek(listing->fd, 0, SEEK_SET) == -1)
		return;
	while ((name = next_folder(search, listing, &id)) != NULL)
		if (has_folders(search, listing->fd, name))
			queue_folder(is_of_other_user(search, name)
				? &search->users
				: queue,
			    parent, name);
}

/* Find the id among the folders of one. If it is not there, put these into the
 * queue, unless that is NULL. */
static bool
find_in_folder(struct search *search, const char *path, struct queue *queue,
    char ret_path[CGROUP_PATH_SIZE])
{
	char relative[CGROUP_PATH_SIZE + 2];
	struct listing listing;
	bool is_found;
	int fd;

	(void)snprintf(relative, sizeof(relative), ".%s", path);
	if (!may_call(search))
		return false;
	fd = openat(search->root_fd, relative,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return false;
	listing.fd = fd;
	listing.used = listing.length = 0;
	is_found = find_in_listing(search, &listing, path, ret_path);
	if (!is_found && queue != NULL)
		queue_listing(search, &listing, path, queue);
	close(fd);
	return is_found;
}

/* Search the folders of a queue level by level. */
static bool
find_in_queue(struct search *search, struct queue *queue,
    char ret_path[CGROUP_PATH_SIZE])
{
	const char *next = queue->paths;

	for (; next < queue->paths + queue->used; next += strlen(next) + 1)
		if (find_in_folder(search, next, queue, ret_path))
			return true;
	return false;
}

/* Search first where processes of the user usually are, and last below other
 * users: containers of theirs may have processes with this uid. */
static bool
find_path(struct search *search, char ret_path[CGROUP_PATH_SIZE])
{
	char usual[64] = "/system.slice";

	if (search->uid >= FIRST_USER)
		(void)snprintf(usual, sizeof(usual),
		    "/user.slice/user-%u.slice", search->uid);
	return find_in_folder(search, usual, NULL, ret_path) ||
	    find_in_folder(search, "", &search->system, ret_path) ||
	    find_in_queue(search, &search->system, ret_path) ||
	    find_in_queue(search, &search->users, ret_path);
}

bool
cgroup_find_unit(const char *root, uint64_t id, uid_t uid,
    char ret_unit[CGROUP_UNIT_SIZE])
{
	struct search search; /* not cleared: it is large */
	char path[CGROUP_PATH_SIZE];
	struct stat st;
	bool is_found;
	int root_fd;

	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd == -1)
		return false;
	search.root_fd = root_fd;
	search.id = id;
	search.uid = uid;
	search.calls = CALLS_MAX;
	search.system.used = search.users.used = 0;
	/* The tree itself is no unit's. */
	is_found = fstat(root_fd, &st) == 0 && st.st_ino != id &&
	    find_path(&search, path);
	close(root_fd);
	return is_found && cgroup_get_unit(path, ret_unit);
}
