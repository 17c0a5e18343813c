/* SPDX-License-Identifier: ISC */

/*
 * process.c - turn a forked process into a worker, of a run or of --explain.
 */

#include "config.h"

#include <sys/prctl.h>

#include <signal.h>
#include <unistd.h>

#include "lib/audit.h"
#include "lib/sandbox.h"
#include "smtp-deliver/net/dns.h"
#include "smtp-deliver/route/nexthop.h"
#include "smtp-deliver/sandbox.h"
#include "smtp-deliver/worker/process.h"

/* Close all other descriptors: above all those of claims, whose locks would
 * outlive their tasks. */
static void
keep_only(int fd, int folder_fd)
{
	int kept[3];
	size_t count = 0;

	if (fd >= 0)
		kept[count++] = fd;
	if (folder_fd >= 0)
		kept[count++] = folder_fd;
	if (audit_fd() >= 0)
		kept[count++] = audit_fd();
	sandbox_keep_only(kept, count);
}

static void
forget_credentials(const struct worker_config *config)
{
	if (config->credentials != NULL)
		credentials_forget(config->credentials);
}

/* Be the process beside the worker, which has no use for secrets. */
_Noreturn static void
serve_policies(const struct worker_config *config,
    const struct stsfetch *stsfetch, pid_t worker)
{
	dkim_close(config->dkim);
	forget_credentials(config);
	stsfetch_serve(stsfetch, config->settings, worker);
}

void
process_enter(const struct worker_config *config, const char *destination,
    pid_t parent, int fd, struct stsfetch *ret_stsfetch)
{
	struct nexthop nexthop;
	bool has_nexthop = nexthop_parse_name(destination, &nexthop) == 0;
	struct sandbox_ports ports;
	pid_t worker = getpid();

	/* Nobody would record what an orphan does. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	/* Only relays get credentials. */
	if (!has_nexthop || !nexthop.is_relayed)
		forget_credentials(config);
	stsfetch_prepare(ret_stsfetch, config->spool,
	    has_nexthop ? nexthop_policy_domain(&nexthop) : NULL);
	keep_only(fd, ret_stsfetch->place.folder_fd);
	if (stsfetch_fork(ret_stsfetch))
		serve_policies(config, ret_stsfetch, worker);
	ports.ports = rules_ports(config->rules, &ports.count);
	sandbox_enter_worker(config->settings, &ports);
	dns_start();
}
