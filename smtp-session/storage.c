/* SPDX-License-Identifier: ISC */

/*
 * storage.c - the spool as a session uses it, opened before the session enters
 * its sandbox.
 */

#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "lib/presence.h"
#include "lib/spool/fault.h"
#include "lib/spool/probe.h"
#include "lib/spool/sandbox.h"
#include "smtp-session/storage.h"

static int
open_spool(const struct session_settings *settings, struct sandbox *sandbox,
    struct spool **ret_spool, const char **ret_trouble)
{
	const char *lacking;
	int r;

	*ret_trouble = settings->queue_path;
	if ((r = spool_open(settings->queue_path, ret_spool)) < 0)
		return r;
	spool_reserve(*ret_spool, settings->free_space_mib);
	(void)fault_clear(*ret_spool, FAULT_SESSION);
	if ((r = probe_check(*ret_spool, &lacking)) == -EOPNOTSUPP)
		*ret_trouble = lacking;
	return r < 0 ? r : sandbox_allow_session(*ret_spool, sandbox);
}

int
storage_open(const struct session_settings *settings, struct sandbox *sandbox,
    struct storage *ret_storage, const char **ret_trouble)
{
	int fd, r;

	*ret_storage = (struct storage){ .presence_fd = -1 };
	r = open_spool(settings, sandbox, &ret_storage->spool, ret_trouble);
	if (r < 0) {
		spool_close(ret_storage->spool);
		ret_storage->spool = NULL;
		ret_storage->error = r;
		return r;
	}
	if ((fd = spool_open_counters(ret_storage->spool)) >= 0)
		(void)counters_open(fd, &ret_storage->counters);
	ret_storage->presence_fd = spool_open_sessions(ret_storage->spool);
	if (ret_storage->presence_fd >= 0)
		(void)presence_enter(ret_storage->presence_fd);
	return 0;
}

void
storage_close(struct storage *storage)
{
	counters_close(storage->counters);
	if (storage->presence_fd >= 0)
		close(storage->presence_fd);
	spool_close(storage->spool);
}
