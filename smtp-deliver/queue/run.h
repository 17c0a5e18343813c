/* SPDX-License-Identifier: ISC */

#ifndef RUN_H
#define RUN_H

#include <stdbool.h>

#include "smtp-deliver/settings.h"
#include "lib/spool/spool.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/route/rules.h"

/* Let SIGTERM and SIGINT end a run in good order. Call this before anything
 * else: the run takes signals only while it waits. */
void run_catch_signals(void);

/*
 * Deliver what is due in the queue, and what falls due meanwhile. Enters the
 * sandbox, for good.
 *
 * dkim		signing keys, or NULL.
 * rules	routes.
 * credentials	for relays.
 * is_watching	go on for ever; otherwise return when nothing is due any more.
 *
 * SIGTERM and SIGINT end it after the messages that are being sent; a second
 * one at once. Returns 0, or a negative errno if the queue is unusable; -ESTALE
 * if the spool or a file of the system was replaced: start another process.
 */
int run_queue(struct spool *spool, const struct deliver_settings *settings,
    struct dkim *dkim, const struct rules *rules,
    struct credentials *credentials, bool is_watching);

#endif
