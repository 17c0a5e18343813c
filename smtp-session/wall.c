/* SPDX-License-Identifier: ISC */

/*
 * wall.c - the wall around a listener. A process has one, so its state is
 * static.
 */

#include "config.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>

#include "lib/audit.h"
#include "lib/sandbox.h"
#include "lib/spool/able.h"
#include "lib/spool/spool.h"
#include "lib/spool/wall.h"
#include "smtp-session/wall.h"

static const char *spool_path;
static struct spool_identity spool_before;

/* A file that is read now and then, and may be replaced by another one: what
 * its folder has. */
static void
allow_folder_of(struct sandbox *sandbox, const char *path)
{
	char resolved[PATH_MAX];

	if (realpath(path, resolved) != NULL)
		sandbox_allow_path(sandbox, dirname(resolved), SANDBOX_READ);
}

/* Without a spool there is nothing of it within the wall. */
void
wall_close_listener(const struct settings *settings)
{
	struct spool *spool = NULL;
	struct sandbox sandbox;
	const char *lacking;

	sandbox_begin(&sandbox, SANDBOX_LISTENER);
	spool_path = settings->queue_path;
	if (spool_open(spool_path, &spool) == 0) {
		(void)able_check(spool, &lacking);
		(void)wall_allow_listener(spool, &sandbox);
	}
	spool_before = spool_identify(spool_path);
	if (settings->tls_cert != NULL) {
		allow_folder_of(&sandbox, settings->tls_cert);
		allow_folder_of(&sandbox, settings->tls_key);
	}
	audit_write_missing(sandbox_close(&sandbox));
	spool_close(spool);
}

bool
wall_is_outdated(void)
{
	return !spool_is_same(spool_before, spool_identify(spool_path));
}
