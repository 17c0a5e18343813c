/* SPDX-License-Identifier: ISC */

/*
 * health.c - check that mail can be accepted and is delivered.
 *
 * Looks for what a client or a sender would notice: a spool that is missing,
 * full or not writable, and mail that is due and not tried. The spool is opened
 * for each check, as every program opens it when it starts.
 */

#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/spool/fault.h"
#include "lib/spool/probe.h"
#include "lib/spool/scan.h"
#include "lib/spool/spool.h"
#include "smtp-health/health.h"

#define MINUTE_MS (60 * 1000)
#define WAIT_MAX_MS (15 * MINUTE_MS)
#define FINDING_SIZE (FAULT_SIZE + 64)
#define REFUSED_AGE_MS (15 * MINUTE_MS)

/* Set the reason. Returns r. */
static int
explain(int r, const char *trouble, char ret_finding[FINDING_SIZE])
{
	(void)snprintf(ret_finding, FINDING_SIZE, "%s: %s", trouble,
	    strerror(-r));
	return r;
}

static int
tell_fault(const char *what, const char *fault, char ret_finding[FINDING_SIZE])
{
	(void)snprintf(ret_finding, FINDING_SIZE, "%s: %s", what, fault);
	return -ENOTSUP;
}

/* smtp-session writes it again for each client that it refuses: if none has
 * come for a while, the setting may have been corrected. */
static int
check_session_fault(struct spool *spool, char ret_finding[FINDING_SIZE])
{
	char fault[FAULT_SIZE];
	int64_t real_ms, now_real_ms = clock_real_ms();

	if (fault_read(spool, FAULT_SESSION, fault, &real_ms) < 0 ||
	    now_real_ms - real_ms > REFUSED_AGE_MS)
		return 0;
	return tell_fault("mail is refused", fault, ret_finding);
}

/* smtp-deliver is started only while there is mail in the queue: without it,
 * the setting may have been corrected. */
static int
check_delivery_fault(struct spool *spool, char ret_finding[FINDING_SIZE])
{
	char fault[FAULT_SIZE];
	int64_t real_ms;
	uint64_t count;

	if (fault_read(spool, FAULT_DELIVER, fault, &real_ms) < 0 ||
	    scan_count(spool, &count) < 0 || count == 0)
		return 0;
	return tell_fault("mail is not delivered", fault, ret_finding);
}

static int
check_queue(struct spool *spool, char ret_finding[FINDING_SIZE])
{
	int64_t wait_ms = 0;
	int r = scan_longest_wait(spool, clock_real_ms(), &wait_ms);

	if (r < 0)
		return explain(r, "the queue cannot be read", ret_finding);
	if (wait_ms <= WAIT_MAX_MS)
		return 0;
	(void)snprintf(ret_finding, FINDING_SIZE,
	    "a message due for delivery has been waiting untried for %" PRId64
	    " minutes",
	    wait_ms / MINUTE_MS);
	return -ETIME;
}

static int
check_spool(struct spool *spool, char ret_finding[FINDING_SIZE])
{
	const char *lacking;
	int r;

	if ((r = probe_check(spool, &lacking)) == -EOPNOTSUPP)
		return explain(r, lacking, ret_finding);
	if ((r = spool_check_space(spool, 0)) < 0)
		return explain(r, "below the free space that mail needs",
		    ret_finding);
	if ((r = spool_check_writable(spool)) < 0)
		return explain(r, "not writable", ret_finding);
	if ((r = check_session_fault(spool, ret_finding)) < 0 ||
	    (r = check_delivery_fault(spool, ret_finding)) < 0)
		return r;
	return check_queue(spool, ret_finding);
}

int
health_check(const char *spool_path, int free_space_mib,
    char ret_reason[HEALTH_REASON_SIZE])
{
	struct spool *spool;
	char finding[FINDING_SIZE];
	int r = spool_open(spool_path, &spool);

	if (r < 0)
		(void)strlcpy(finding, strerror(-r), sizeof(finding));
	else {
		spool_reserve(spool, free_space_mib);
		r = check_spool(spool, finding);
		spool_close(spool);
	}
	if (r < 0)
		(void)snprintf(ret_reason, HEALTH_REASON_SIZE, "spool %s: %s",
		    spool_path, finding);
	return r;
}
