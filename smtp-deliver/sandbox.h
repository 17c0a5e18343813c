/* SPDX-License-Identifier: ISC */

#ifndef DELIVER_SANDBOX_H
#define DELIVER_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#include "smtp-deliver/settings.h"
#include "lib/spool/spool.h"

/* The ports that workers may connect to; 0 is that of SMTP_REMOTE_PORT. */
struct sandbox_ports {
	const uint16_t *ports;
	size_t count;
};

/*
 * Enter the sandbox of a run, which has the queue and all that workers need.
 * Returns 0, or a negative errno if the spool cannot be used.
 *
 * ret_missing	pieces that the sandbox lacks, as sandbox_enter() returns them.
 */
int sandbox_enter_run(struct spool *spool,
    const struct deliver_settings *settings, const struct sandbox_ports *ports,
    unsigned *ret_missing);

/* The state of the sandbox's paths (lib/pathstate.h). When it changes,
 * something is there that this run and its workers cannot reach. */
uint64_t sandbox_get_pathstate(const struct deliver_settings *settings);

/* Enter the narrower sandbox of a worker: it resolves names, reads trust
 * anchors, connects to hosts, and changes no file. */
void sandbox_enter_worker(const struct deliver_settings *settings,
    const struct sandbox_ports *ports);

/* Enter the sandbox of a worker's process for MTA-STS policies: it connects to
 * web servers instead of mail hosts, and writes in one folder of the spool,
 * unless that is -1. */
void sandbox_enter_stsfetch(const struct deliver_settings *settings,
    int policies_fd);

#endif
