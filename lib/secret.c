/* SPDX-License-Identifier: ISC */

/*
 * secret.c - files that hold a secret.
 */

#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/privileges.h"
#include "lib/secret.h"

static int
fail(char ret_error[SECRET_ERROR_SIZE], const char *reason)
{
	(void)strlcpy(ret_error, reason, SECRET_ERROR_SIZE);
	return -ENOKEY;
}

/* Return 0 if there is such a file, or a negative errno. */
static int
look_for(const char *path)
{
	int fd = privileges_open_as_self(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Fail, and say where the credential was sought; or where it is, in a form that
 * only systemd can read. */
static int
fail_missing(const char *folder, const char *name,
    char ret_error[SECRET_ERROR_SIZE])
{
	static const char *const encrypted[] = { "/run/credstore.encrypted",
		"/etc/credstore.encrypted", "/usr/lib/credstore.encrypted" };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(encrypted) / sizeof(encrypted[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", encrypted[i], name);
		if (look_for(path) < 0)
			continue;
		(void)snprintf(ret_error, SECRET_ERROR_SIZE,
		    "the credential is encrypted, in %s: systemd decrypts it "
		    "for units only, after daemon-reload",
		    encrypted[i]);
		return -ENOKEY;
	}
	(void)snprintf(ret_error, SECRET_ERROR_SIZE,
	    "the credential was not found in %.100s: %s", folder,
	    strerror(ENOENT));
	return -ENOKEY;
}

static int
find_credential(const char *name, char ret_path[PATH_MAX],
    char ret_error[SECRET_ERROR_SIZE])
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (folder == NULL)
		return fail(ret_error,
		    "it is the name of a credential, but "
		    "CREDENTIALS_DIRECTORY is not set");
	if (snprintf(ret_path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
		return fail(ret_error, strerror(ENAMETOOLONG));
	if (look_for(ret_path) == -ENOENT)
		return fail_missing(folder, name, ret_error);
	return 0;
}

int
secret_find(const char *name, char ret_path[PATH_MAX],
    char ret_error[SECRET_ERROR_SIZE])
{
	if (strchr(name, '/') == NULL)
		return find_credential(name, ret_path, ret_error);
	if (strlcpy(ret_path, name, PATH_MAX) >= PATH_MAX)
		return fail(ret_error, strerror(ENAMETOOLONG));
	return 0;
}

bool
secret_is_credential(const char *path)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	size_t length = folder == NULL ? 0 : strlen(folder);

	return length > 0 && strncmp(path, folder, length) == 0 &&
	    path[length] == '/';
}

/* A credential is root's, and root hands it on: here, in programs that are run
 * by hand, as systemd does in units. */
static int
open_secret(const char *name, const char *path)
{
	/* O_NONBLOCK: do not wait for the writer of a pipe. */
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
	int fd;

	if (strchr(name, '/') == NULL)
		return privileges_open_as_self(path, flags);
	if ((fd = open(path, flags)) == -1)
		return -errno;
	return fd;
}

static int
read_open_file(int fd, char *ret_text, size_t size, size_t *ret_length,
    char ret_error[SECRET_ERROR_SIZE])
{
	struct stat status;
	ssize_t n;

	if (fstat(fd, &status) == -1)
		return fail(ret_error, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return fail(ret_error, "it is not a regular file");
	if ((status.st_mode & (S_IROTH | S_IWOTH)) != 0)
		return fail(ret_error,
		    "its mode permits everyone to read or write it");
	if (status.st_size > (off_t)size)
		return fail(ret_error, "it is too large");
	n = read(fd, ret_text, size);
	if (n == -1)
		return fail(ret_error, strerror(errno));
	*ret_length = (size_t)n;
	return 0;
}

int
secret_read(const char *name, char *ret_text, size_t size, size_t *ret_length,
    char ret_error[SECRET_ERROR_SIZE])
{
	char path[PATH_MAX];
	int fd, r;

	if ((r = secret_find(name, path, ret_error)) < 0)
		return r;
	if ((fd = open_secret(name, path)) < 0)
		return fail(ret_error, strerror(-fd));
	r = read_open_file(fd, ret_text, size, ret_length, ret_error);
	close(fd);
	return r;
}
