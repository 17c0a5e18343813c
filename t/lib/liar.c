/* SPDX-License-Identifier: ISC */

/*
 * liar.c - preloaded: a worker that sends invalid reports.
 *
 * LIE chooses the fault:
 *
 *	outcome		a verdict has an outcome that does not exist
 *	recipient	a verdict names a recipient that the job does not have
 *	endless		a verdict's text is not terminated
 *	silent		the job is reported as done without a verdict
 *	final		a delivered recipient is then reported as failed
 *	kind		a report of an unknown kind precedes the verdict
 */

#include <sys/socket.h>

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "smtp-deliver/worker/channel.h"

typedef ssize_t sender(int, const void *, size_t, int);

static void
spoil(struct report *report, const char *lie)
{
	static const int unknown = 0x7ffffff;

	if (strcmp(lie, "outcome") == 0)
		memcpy(&report->verdict.outcome, &unknown, sizeof(unknown));
	else if (strcmp(lie, "recipient") == 0)
		report->recipient = (size_t)1 << 32;
	else if (strcmp(lie, "endless") == 0)
		memset(report->verdict.reason, 'x',
		    sizeof(report->verdict.reason));
}

static void
make_unknown(struct report *report)
{
	static const int unknown = 0x7ffffff;

	memcpy(&report->kind, &unknown, sizeof(unknown));
}

static void
make_failed(struct report *report)
{
	report->verdict.outcome = OUTCOME_FAILED;
	memcpy(report->verdict.status, "5.0.0", sizeof("5.0.0"));
}

ssize_t
send(int fd, const void *data, size_t size_bytes, int flags)
{
	sender *real_send = (sender *)dlsym(RTLD_NEXT, "send");
	const char *lie = getenv("LIE");
	struct report report, other;
	ssize_t n;

	if (lie == NULL || size_bytes != sizeof(report))
		return real_send(fd, data, size_bytes, flags);
	memcpy(&report, data, sizeof(report));
	if (report.kind != REPORT_VERDICT)
		return real_send(fd, data, size_bytes, flags);
	if (strcmp(lie, "silent") == 0)
		return (ssize_t)size_bytes;
	other = report;
	if (strcmp(lie, "kind") == 0) {
		make_unknown(&other);
		(void)real_send(fd, &other, sizeof(other), flags);
	}
	spoil(&report, lie);
	n = real_send(fd, &report, sizeof(report), flags);
	if (n == sizeof(report) && strcmp(lie, "final") == 0) {
		make_failed(&other);
		n = real_send(fd, &other, sizeof(other), flags);
	}
	return n;
}
