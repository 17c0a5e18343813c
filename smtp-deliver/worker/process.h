/* SPDX-License-Identifier: ISC */

#ifndef PROCESS_H
#define PROCESS_H

#include <sys/types.h>

#include "smtp-deliver/settings.h"
#include "lib/spool/spool.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/policy/stsfetch.h"
#include "smtp-deliver/route/rules.h"

/* What a worker process inherits. */
struct worker_config {
	const struct deliver_settings *settings;
	const struct rules *rules; /* they name the ports to connect to */
	struct spool *spool; /* where policies are kept, or NULL */
	struct dkim *dkim; /* keys to sign with, or NULL */
	struct credentials *credentials; /* for relays, or NULL */
};

/*
 * Turn this process, which has just been forked, into a worker for a
 * destination: it dies with its parent, has no other descriptors and no secrets
 * that the destination does not need, and enters the worker's sandbox. A
 * process that finds MTA-STS policies is forked before that.
 *
 * destination	as nexthop_format() writes it.
 * parent	the process that forked this one.
 * fd		kept open, or -1. So is what the audit trail needs.
 */
void process_enter(const struct worker_config *config, const char *destination,
    pid_t parent, int fd, struct stsfetch *ret_stsfetch);

#endif
