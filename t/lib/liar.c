/* SPDX-License-Identifier: ISC */

/*
 * liar.c - preloaded: a worker whose reports have an outcome that is none.
 */

#include <sys/socket.h>

#include <dlfcn.h>
#include <string.h>

#include "smtp-deliver/worker/channel.h"

ssize_t
send(int fd, const void *data, size_t size_bytes, int flags)
{
	ssize_t (*real_send)(int, const void *, size_t, int) = (ssize_t(*)(int,
	    const void *, size_t, int))dlsym(RTLD_NEXT, "send");
	static const int outcome = 0x7ffffff;
	struct report report;

	if (size_bytes != sizeof(report))
		return real_send(fd, data, size_bytes, flags);
	memcpy(&report, data, sizeof(report));
	if (report.kind == REPORT_VERDICT)
		memcpy(&report.verdict.outcome, &outcome, sizeof(outcome));
	return real_send(fd, &report, sizeof(report), flags);
}
