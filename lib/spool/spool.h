/* SPDX-License-Identifier: ISC */

#ifndef SPOOL_SPOOL_H
#define SPOOL_SPOOL_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/settings.h"
#include "lib/token.h"

/* Mail is refused when it would leave fewer files, or less space than is
 * reserved, in the file system. */
#define SPOOL_RESERVE_FILES 16

/*
 * The spool: stored mail and the queue. draft.h puts a message in;
 * scan.h, claim.h and queue.h take it
 * from there; all of them use this. Names on disk are known in lib/spool only.
 * Functions return 0 or a negative errno unless stated otherwise.
 */
struct spool;

/*
 * Open a spool. Make missing folders with mode 0700, and missing parents of the
 * path with 0755. They belong to the user of this process: one of root's calls
 * privileges_become_owner() first. If that user may lose access to the path, it
 * opens the spool's folder before, and the rest below it.
 *
 * folder_fd	of spool_open_folder(), which returns it or a negative errno;
 *		taken in any case.
 */
int spool_open(const char *path, struct spool **ret_spool);
int spool_open_folder(const char *path);
int spool_open_at(int folder_fd, struct spool **ret_spool);
void spool_close(struct spool *spool);

/* Whether the path is a spool that has been used. False if that cannot be
 * seen. */
bool spool_exists(const char *path);

/*
 * Read the key of the tokens from elsewhere, for all spools that this process
 * and its children open from now on. Their own keys are neither made nor read.
 *
 * name		the value of SMTP_QUEUE_KEY_PATH: a file as for secret_find(),
 *		with 32 octets. NULL: each spool has its own key.
 *
 * Returns 0, or -EINVAL with ret_error as settings_read() sets it.
 */
int spool_take_key(const char *name, char ret_error[SETTINGS_ERROR_SIZE]);

/* Make the token of a recipient under that key, or under the spool's own, which
 * the first call ever made creates. -EBADMSG: the key on disk is damaged. */
int spool_token(struct spool *spool, const char *address,
    char ret_token[TOKEN_SIZE]);

/* Reserve space in the file system, which mail must leave; none at first. */
void spool_reserve(struct spool *spool, int space_mib);

/* Check that there is space for a message of that size: 0 or -ENOSPC. */
int spool_check_space(struct spool *spool, uint64_t size_bytes);

/* Check that the spool is writable by writing to it. */
int spool_check_writable(struct spool *spool);

/* Whether the spool or its queue was removed since it was opened. It is
 * unusable then. */
bool spool_is_gone(struct spool *spool);

/*
 * Return a number for the spool that a path leads to now (lib/pathstate.h): for
 * its folders, or for these and the files that all programs share. If it
 * changes, what is open or in a sandbox's rules is not what others use.
 */
uint64_t spool_get_folders_pathstate(const char *path);
uint64_t spool_get_pathstate(const char *path);

/* Open the file of counters, or the file of the sessions' locks; make it if it
 * is missing. Return a descriptor, which is the caller's. */
int spool_open_counters(struct spool *spool);
int spool_open_sessions(struct spool *spool);

#endif
