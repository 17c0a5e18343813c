/* SPDX-License-Identifier: ISC */

/*
 * sandbox.c - the sandboxes of a session and of a listener. A process has one
 * listener at most, so its state is static.
 */

#include "config.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>

#include "lib/audit.h"
#include "lib/cgroup.h"
#include "lib/pathstate.h"
#include "lib/spool/sandbox.h"
#include "smtp-session/sandbox.h"

static struct sandbox_view view;
static uint64_t certificate_state; /* as the listener began */

/* A file that is read now and then, and may be replaced by another one: what
 * its folder has. */
static void
allow_folder_of(struct sandbox *sandbox, const char *path)
{
	char resolved[PATH_MAX];

	if (realpath(path, resolved) != NULL)
		sandbox_allow_path(sandbox, dirname(resolved), SANDBOX_READ);
}

/* Files may move out of the folders that are allowed: a symbolic link on the
 * way to them is replaced where a volume of secrets is updated. */
static uint64_t
get_certificate_state(const struct session_settings *settings)
{
	return *settings->tls_cert == '\0'
	    ? 0
	    : pathstate_add(pathstate_add(0, settings->tls_cert),
		  settings->tls_key);
}

void
sandbox_enter_session(const struct session_settings *settings,
    struct sandbox *sandbox)
{
	unsigned missing;

	if (*settings->tls_cert != '\0') {
		sandbox_allow_path(sandbox, settings->tls_cert, SANDBOX_READ);
		sandbox_allow_path(sandbox, settings->tls_key, SANDBOX_READ);
	}
	missing = sandbox_enter(sandbox);
	/* Not for each connection: the other programs log it, too. */
	if (settings->is_debug)
		audit_write_missing(missing);
}

void
sandbox_enter_listener(const struct session_settings *settings)
{
	struct sandbox sandbox;

	sandbox_begin(&sandbox, SANDBOX_LISTENER);
	view = sandbox_open_view(settings->queue_path, &sandbox,
	    sandbox_allow_listener);
	certificate_state = get_certificate_state(settings);
	if (*settings->tls_cert != '\0') {
		allow_folder_of(&sandbox, settings->tls_cert);
		allow_folder_of(&sandbox, settings->tls_key);
	}
	/* For the units of clients; nothing there can be read. */
	sandbox_allow_path(&sandbox, cgroup_root(), SANDBOX_LIST);
	audit_write_missing(sandbox_enter(&sandbox));
}

bool
sandbox_is_listener_outdated(const struct session_settings *settings)
{
	return sandbox_is_outdated(&view) ||
	    get_certificate_state(settings) != certificate_state;
}
