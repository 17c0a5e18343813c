/* SPDX-License-Identifier: ISC */

#ifndef DELIVER_SANDBOX_H
#define DELIVER_SANDBOX_H

#include <stdint.h>

#include "smtp-deliver/settings.h"
#include "lib/spool/spool.h"
#include "smtp-deliver/route/rules.h"

/*
 * Close the wall around a run: within it are the queue, and what workers need.
 * Returns 0, or a negative errno if the spool cannot be worked with.
 *
 * rules	they say which ports are connected to.
 * ret_missing	pieces that the wall lacks, as sandbox_enter() tells.
 */
int sandbox_enter_run(struct spool *spool,
    const struct deliver_settings *settings, const struct rules *rules,
    unsigned *ret_missing);

/* What the paths within it lead to now. Another number than before says that
 * there is something that this run and its workers cannot reach. */
uint64_t sandbox_get_pathstate(const struct deliver_settings *settings);

/* Close the narrower one around a worker: it resolves names, looks at trust
 * anchors, connects to hosts, and changes no file. */
void sandbox_enter_worker(const struct deliver_settings *settings,
    const struct rules *rules);

/* Close the one around the fetcher beside it: it connects to web servers in
 * place of mail hosts, and writes in one folder of the spool, if that is not
 * -1. */
void sandbox_enter_stsfetch(const struct deliver_settings *settings,
    int policies_fd);

#endif
