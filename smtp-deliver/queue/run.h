/* SPDX-License-Identifier: ISC */

#ifndef RUN_H
#define RUN_H

#include <stdbool.h>

#include "smtp-deliver/settings.h"
#include "lib/spool/spool.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/route/rules.h"

/*
 * Have SIGTERM and SIGINT end a run in good order, and this before anything
 * else: they are noticed while the run waits, and at no other time.
 */
void run_catch_signals(void);

/*
 * Deliver what is due in the queue, and what falls due meanwhile, behind a wall
 * that stays closed.
 *
 * dkim		who signs, or NULL.
 * rules	which way mail goes.
 * credentials	who we are for relays.
 * is_watching	go on for ever; else return when nothing is due any more.
 *
 * SIGTERM and SIGINT end it after the messages that are being sent; a second
 * one at once. Returns 0, or a negative errno if the queue cannot be worked
 * on at all; -ESTALE if the spool was removed, which only another process can open anew.
 */
int run_queue(struct spool *spool, const struct deliver_settings *settings,
    struct dkim *dkim, const struct rules *rules,
    struct credentials *credentials, bool is_watching);

#endif
