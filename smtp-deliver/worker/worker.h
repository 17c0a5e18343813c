/* SPDX-License-Identifier: ISC */

#ifndef WORKER_H
#define WORKER_H

#include <sys/types.h>

#include <stdbool.h>

#include "smtp-deliver/worker/process.h"

/*
 * Be a worker process: take jobs at one destination (channel.h), do one after
 * the other, over one connection if it lasts, and report. After a job's last
 * report nothing happens until the next job comes, so that the run can record
 * the verdicts first. Exit at the end of input.
 *
 * fd		a socket of packets to the run.
 * destination	as nexthop_format() writes it.
 * is_tls_optional	its messages put TLS policies aside (RFC 8689).
 * parent	the run's process.
 */
_Noreturn void worker_work(const struct worker_config *config, int fd,
    const char *destination, bool is_tls_optional, pid_t parent);

#endif
