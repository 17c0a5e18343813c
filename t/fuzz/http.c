/* SPDX-License-Identifier: ISC */

/*
 * http.c - requests to smtp-health: whatever a client sends, the response is
 * HTTP, and the connection ends by its deadline.
 */

#include "config.h"

#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <signal.h>
#include <unistd.h>

#include "lib/clock.h"
#include "smtp-health/accept.h"
#include "smtp-health/http.h"
#include "smtp-health/metrics.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/peer.h"

#define IDLE_MS 1000
#define SECONDS_MAX 12 /* a connection's deadline and the idle time */

static unsigned write_ok(void *context, const char *accept, FILE *out,
    const char **ret_type);
static unsigned write_metrics(void *context, const char *accept, FILE *out,
    const char **ret_type);
static bool is_never_outdated(void *context);

static const struct http_page pages[] = {
	{ "/healthz", write_ok },
	{ "/metrics", write_metrics },
	{ NULL, NULL },
};
static const char *const names[] = { "x", NULL };
static const struct http_site site = { .pages = pages,
	.names = names,
	.check_outdated = is_never_outdated };

static struct metric metrics[METRICS];

int __real_pselect(int count, fd_set *read_set, fd_set *write_set,
    fd_set *except_set, const struct timespec *timeout, const sigset_t *mask);
int __wrap_pselect(int count, fd_set *read_set, fd_set *write_set,
    fd_set *except_set, const struct timespec *timeout, const sigset_t *mask);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	for (size_t i = 0; i < METRICS; i++)
		metrics[i] = (struct metric){ "name", "What it is.", i % 2 == 0,
			UINT64_MAX - i };
	return 0;
}

static unsigned
write_ok(void *context, const char *accept, FILE *out, const char **ret_type)
{
	(void)context;
	(void)ret_type;
	must(accept != NULL);
	(void)fputs("OK\n", out);
	return 200;
}

static unsigned
write_metrics(void *context, const char *accept, FILE *out,
    const char **ret_type)
{
	char name[] = "smtp-health", *argv[] = { name, NULL };
	enum metrics_format format = metrics_choose_format(accept);
	int quality = accept_quality(accept, "text/plain", "0.0.4");

	(void)context;
	must(format < METRICS_FORMATS);
	must(quality >= 0 && quality <= ACCEPT_QUALITY_MAX);
	*ret_type = metrics_content_type(format);
	metrics_write(metrics, format, argv, out);
	return 200;
}

static bool
is_never_outdated(void *context)
{
	(void)context;
	return false;
}

/* The peer acts when no descriptor is ready; time passes when the peer does
 * nothing. The server never waits for the peer's own descriptor. */
int
__wrap_pselect(int count, fd_set *read_set, fd_set *write_set,
    fd_set *except_set, const struct timespec *timeout, const sigset_t *mask)
{
	static const struct timespec at_once = { 0, 0 };
	const fd_set sets[] = { *read_set, *write_set, *except_set };
	int n = 0;

	for (int tries = 0; n == 0 && tries < 3; tries++) {
		*read_set = sets[0];
		*write_set = sets[1];
		*except_set = sets[2];
		n = __real_pselect(count, read_set, write_set, except_set,
		    &at_once, mask);
		if (n == 0 && tries < 2)
			peer_move();
	}
	if (n == 0)
		peer_pass_time(
		    timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000 + 1);
	return n;
}

/* Return a listening socket with a pending connection, whose other end is the
 * peer's. */
static int
listen_and_call(const uint8_t *data, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = sizeof(address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int peer_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && peer_fd >= 0);
	/* In the abstract namespace, by a name that the kernel chooses. */
	must(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
	must(listen(fd, 1) == 0);
	must(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
	must(connect(peer_fd, (struct sockaddr *)&address, length) == 0);
	peer_start(peer_fd, data, size);
	return fd;
}

/* Serve, then restore libFuzzer's signal handlers. */
static void
serve(int listen_fd)
{
	struct sigaction on_term, on_int;
	sigset_t mask;

	sigaction(SIGTERM, NULL, &on_term);
	sigaction(SIGINT, NULL, &on_int);
	sigprocmask(SIG_SETMASK, NULL, &mask);
	must(http_serve(listen_fd, &site, IDLE_MS) == 0);
	sigaction(SIGTERM, &on_term, NULL);
	sigaction(SIGINT, &on_int, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

/* Check the header of a response. Returns the beginning of its body. */
static const char *
check_header(const char *answer, unsigned *ret_status)
{
	const char *end = strstr(answer, "\r\n\r\n");

	must(end != NULL);
	/* NOLINTNEXTLINE(cert-err34-c): three digits fit */
	must(sscanf(answer, "HTTP/1.%*1[01] %3u ", ret_status) == 1);
	for (const char *p = answer; p < end; p++)
		must(fuzz_is_printable(p, 1) || *p == '\r' || *p == '\n');
	return end + 4;
}

/* A request gets exactly one response. */
static void
check_answer(const char *answer, size_t length)
{
	unsigned status, size;
	const char *body, *field;

	if (length == 0)
		return; /* no request: the peer hung up */
	must(strlen(answer) == length);
	body = check_header(answer, &status);
	if (status == 100)
		body = check_header(body, &status);
	must(status == 200 || (status >= 400 && status < 600));
	if (status != 200)
		return;
	field = strcasestr(answer, "\r\nContent-Length: ");
	/* NOLINTNEXTLINE(cert-err34-c): five digits fit */
	must(field != NULL && sscanf(field + 18, "%5u", &size) == 1);
	must(strcasestr(answer, "\r\nConnection: close\r\n") != NULL);
	must(strlen(body) == size || *body == '\0' /* of HEAD */);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t start_ms = clock_mono_ms();
	int listen_fd = listen_and_call(data, size);
	const char *answer;
	size_t length;

	serve(listen_fd);
	close(listen_fd);
	must(clock_mono_ms() - start_ms <= SECONDS_MAX * 1000);
	answer = peer_end(&length);
	check_answer(answer, length);
	return 0;
}
