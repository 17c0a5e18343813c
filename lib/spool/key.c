/* SPDX-License-Identifier: ISC */

/*
 * key.c - the key of recipients' tokens.
 *
 * The first process that needs it makes it; its name appears when the file is
 * complete. A damaged key is an error: with a new one the names of stored mail
 * would no longer match their recipients. A process may be told to use another
 * file's key instead, before it opens a spool.
 */

#include "config.h"

#include <sys/random.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/id.h"
#include "lib/secret.h"
#include "lib/spool/key.h"
#include "lib/spool/layout.h"
#include "lib/spool/names.h"

static struct token_key taken; /* in place of those of spools */
static bool is_taken;

static int
read_taken(const char *name, char ret_error[SECRET_ERROR_SIZE])
{
	char key[TOKEN_KEY_SIZE + 1];
	size_t length = 0;
	int r = secret_read(name, key, sizeof(key), &length, ret_error);

	if (r == 0 && length != TOKEN_KEY_SIZE) {
		(void)snprintf(ret_error, SECRET_ERROR_SIZE,
		    "it has %zu octets; expected a key of %d", length,
		    TOKEN_KEY_SIZE);
		r = -ENOKEY;
	}
	if (r == 0)
		token_set_key(&taken, (const uint8_t *)key);
	explicit_bzero(key, sizeof(key));
	return r;
}

int
spool_take_key(const char *name, char ret_error[SETTINGS_ERROR_SIZE])
{
	char reason[SECRET_ERROR_SIZE];

	if (name == NULL)
		return 0;
	if (read_taken(name, reason) < 0)
		return settings_fail(ret_error,
		    "SMTP_QUEUE_KEY_PATH is \"%.64s\"; %s", name, reason);
	is_taken = true;
	return 0;
}

/* Return 0, -ENOENT if no key was made yet, or -EBADMSG if its size is
 * wrong. */
static int
read_key(struct spool *spool)
{
	uint8_t key[TOKEN_KEY_SIZE + 1];
	ssize_t n;
	int fd =
	    openat(spool->folders[FOLDER_ROOT], NAME_KEY, O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -errno;
	n = pread(fd, key, sizeof(key), 0);
	close(fd);
	if (n == -1)
		return -errno;
	if (n != TOKEN_KEY_SIZE)
		return -EBADMSG;
	token_set_key(&spool->key.key, key);
	explicit_bzero(key, sizeof(key));
	return 0;
}

/* Make a key, and link its name when the file is complete. If another process
 * was first, its key is used. */
static int
make_key(struct spool *spool)
{
	uint8_t key[TOKEN_KEY_SIZE];
	char scratch_name[ID_SIZE];
	bool is_named;
	int fd, root_fd = spool->folders[FOLDER_ROOT], r;

	if ((r = id_make(scratch_name)) < 0)
		return r;
	if (getrandom(key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	fd = layout_open_unnamed(spool, scratch_name, &is_named);
	if (fd < 0)
		return fd;
	if ((r = layout_write(fd, key, sizeof(key), 0)) == 0) {
		r = layout_link(spool, fd, scratch_name, is_named, root_fd,
		    NAME_KEY);
		if (r == -EEXIST)
			r = 0;
		else if (r == 0 && (fsync(fd) == -1 || fsync(root_fd) == -1))
			r = -errno;
	}
	if (is_named)
		(void)unlinkat(layout_folder(spool, FOLDER_SCRATCH),
		    scratch_name, 0);
	close(fd);
	explicit_bzero(key, sizeof(key));
	return r;
}

int
key_load(struct spool *spool)
{
	int r;

	if (spool->key.is_loaded)
		return 0;
	if (is_taken) {
		spool->key.key = taken;
		spool->key.is_loaded = true;
		return 0;
	}
	r = read_key(spool);
	if (r == -ENOENT && (r = make_key(spool)) == 0)
		r = read_key(spool);
	spool->key.is_loaded = r == 0;
	return r;
}

void
key_clear(struct spool_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

/* Keep the last token: callers ask for the same one several times in a row. */
int
spool_token(struct spool *spool, const char *address,
    char ret_token[TOKEN_SIZE])
{
	struct spool_key *key = &spool->key;
	int r;

	if (key->address[0] == '\0' || strcmp(key->address, address) != 0) {
		if ((r = key_load(spool)) < 0)
			return r;
		token_make(&key->key, address, key->token);
		if (strlcpy(key->address, address, sizeof(key->address)) >=
		    sizeof(key->address))
			key->address[0] = '\0';
	}
	memcpy(ret_token, key->token, TOKEN_SIZE);
	return 0;
}
