/* SPDX-License-Identifier: ISC */

#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>

#include "smtp-deliver/settings.h"
#include "smtp-deliver/client/credentials.h"
#include "smtp-deliver/content/dkim.h"
#include "smtp-deliver/policy/stsfetch.h"

/*
 * The life of a worker process: take jobs at one destination (channel.h), do
 * one after the other over one connection if that holds, and report. After a
 * job's last report nothing happens until another job has come: what it said is
 * on record then. The end of input means that no more is to be done.
 *
 * fd		a socket of packets to who gives the jobs.
 * destination	as nexthop_format() names it; is_tls_optional: its messages put
 *		TLS policies aside.
 * stsfetch	the process that finds the destination's policy.
 * dkim		who signs, or NULL.
 * credentials	who we are for relays; NULL where the destination has none.
 */
void worker_work(int fd, const char *destination, bool is_tls_optional,
    struct stsfetch *stsfetch, const struct deliver_settings *settings,
    const struct dkim *dkim, const struct credentials *credentials);

#endif
