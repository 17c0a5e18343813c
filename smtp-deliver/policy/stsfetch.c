/* SPDX-License-Identifier: ISC */

/*
 * stsfetch.c - the MTA-STS policy of a destination (RFC 8461 sections 3.3,
 * 5.1).
 *
 *	TXT record at _mta-sts	its id says whether the kept policy is current
 *	https://mta-sts.DOMAIN	if not, the policy is fetched from here and kept
 *
 * A kept policy holds for its max_age, whatever the DNS and the host answer
 * meanwhile: an attacker who can suppress the answers must not gain by it. Its
 * file has lines with the domain, the policy's id, when it was fetched, and
 * which id could not be fetched lately; then the policy as it came.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/clock.h"
#include "lib/module.h"
#include "lib/sandbox.h"
#include "smtp-deliver/net/dns.h"
#include "smtp-deliver/policy/https.h"
#include "smtp-deliver/policy/stsfetch.h"
#include "smtp-deliver/sandbox.h"

#define HTTPS_PORT 443
#define FETCH_SEC 60 /* RFC 8461 section 3.3 */
#define ANSWER_SEC 180 /* the same with DNS lookups */
#define MISSED_MS 300000 /* until the next try: RFC 8461 section 3.3 */
#define HEAD_SIZE 512
#define NO_POLICY "version: STSv1\nmode: none\nmax_age: 0\n"
#define KEPT_SIZE (HEAD_SIZE + STS_TEXT_MAX)
#define ADDRESSES_SIZE 1024

/* What is kept of a domain: a policy, or that one could not be fetched lately,
 * or both. Times are of clock_real_ms(). */
struct kept {
	char id[STS_ID_SIZE];
	int64_t fetched_real_sec;
	char missed_id[STS_ID_SIZE]; /* "": no fetch failed */
	int64_t missed_real_sec;
	struct sts_policy policy;
	size_t length;
	char text[STS_TEXT_MAX]; /* of the policy */
};

struct search {
	const char *domain;
	const struct deliver_settings *settings;
	const struct cache_place *place;
};

/* ---- what is kept -------------------------------------------------------- */

/* Our lines and an empty one; the policy follows as it came. */
static const char head_format[] = "domain: %s\n"
				  "id: %s\n"
				  "fetched: %" PRId64 "\n"
				  "missed: %s\n"
				  "missed-at: %" PRId64 "\n"
				  "\n";

/* Take the value of the next line if it has that name. Returns whether it
 * has. */
static bool
take_line(char **at, const char *name, char *ret_value, size_t size)
{
	char *value = *at + strlen(name), *end;

	if (strncmp(*at, name, strlen(name)) != 0 ||
	    (end = strchr(value, '\n')) == NULL)
		return false;
	*end = '\0';
	*at = end + 1;
	return strlcpy(ret_value, value, size) < size;
}

/* Take a time in the past. */
static bool
take_time(char **at, const char *name, int64_t *ret_real_sec)
{
	char value[32];
	const char *error;

	if (!take_line(at, name, value, sizeof(value)))
		return false;
	*ret_real_sec = strtonum(value, 0, clock_real_ms() / 1000, &error);
	return error == NULL;
}

/* Parse the file of a domain. Returns 0 or -EBADMSG. */
static int
parse_kept(const char *text, size_t length, const char *domain,
    struct kept *ret_kept)
{
	char head[HEAD_SIZE], name[DNS_NAME_SIZE], *at = head;
	const char *end = memmem(text, length, "\n\n", 2);
	size_t head_length = end != NULL ? (size_t)(end + 2 - text) : 0;

	if (head_length == 0 || head_length >= sizeof(head))
		return -EBADMSG;
	memcpy(head, text, head_length);
	head[head_length] = '\0';
	ret_kept->length = length - head_length;
	if (!take_line(&at, "domain: ", name, sizeof(name)) ||
	    strcmp(name, domain) != 0 ||
	    !take_line(&at, "id: ", ret_kept->id, sizeof(ret_kept->id)) ||
	    !take_time(&at, "fetched: ", &ret_kept->fetched_real_sec) ||
	    !take_line(&at, "missed: ", ret_kept->missed_id,
		sizeof(ret_kept->missed_id)) ||
	    !take_time(&at, "missed-at: ", &ret_kept->missed_real_sec) ||
	    ret_kept->length > sizeof(ret_kept->text))
		return -EBADMSG;
	memcpy(ret_kept->text, text + head_length, ret_kept->length);
	return sts_parse_policy(ret_kept->text, ret_kept->length,
	    &ret_kept->policy);
}

/* Nothing is kept of the domain. */
static void
clear_kept(struct kept *kept)
{
	memset(kept, 0, sizeof(*kept));
	kept->length = strlcpy(kept->text, NO_POLICY, sizeof(kept->text));
}

/* Read the file; a policy older than its max_age counts no more. */
static void
read_kept(const struct search *search, struct kept *ret_kept)
{
	static char text[KEPT_SIZE];
	ssize_t n = cache_read(search->place, text, sizeof(text));

	if (n < 0 ||
	    parse_kept(text, (size_t)n, search->domain, ret_kept) < 0) {
		clear_kept(ret_kept);
	} else if (1000 *
		(ret_kept->fetched_real_sec + ret_kept->policy.max_age_sec) <=
	    clock_real_ms()) {
		ret_kept->policy = (struct sts_policy){ .mode = STS_NONE };
		*ret_kept->id = '\0';
	}
}

static void
write_kept(const struct search *search, const struct kept *kept)
{
	static char text[KEPT_SIZE];
	int head =
	    snprintf(text, HEAD_SIZE, head_format, search->domain, kept->id,
		kept->fetched_real_sec, kept->missed_id, kept->missed_real_sec);

	if (head >= HEAD_SIZE)
		return;
	memcpy(text + head, kept->text, kept->length);
	/* If that fails the policy is fetched again the next time. */
	(void)cache_write(search->place, text, (size_t)head + kept->length);
}

/* ---- what is fetched ----------------------------------------------------- */

/* Find the addresses of a host, in the form that keeps libcurl from resolving
 * the name itself. Returns whether there are any. If not, ret_error may say
 * more. */
static bool
find_addresses(const char *host, const struct deliver_settings *settings,
    char ret_text[ADDRESSES_SIZE], char ret_error[STSFETCH_FAILURE_SIZE])
{
	char refused[DNS_REFUSED_SIZE] = "";
	struct addrinfo *addresses;
	char ip[64], separator = ':';

	if (dns_find_addresses(host, HTTPS_PORT, DNS_ALONE, &addresses) !=
	    DNS_FOUND)
		return false;
	dns_refuse_addresses(&addresses, settings->is_private_allowed, refused);
	if (addresses == NULL) {
		(void)snprintf(ret_error, STSFETCH_FAILURE_SIZE,
		    "its host has no address that may be used: %s", refused);
		return false;
	}
	(void)snprintf(ret_text, ADDRESSES_SIZE, "%s:%d", host, HTTPS_PORT);
	for (const struct addrinfo *a = addresses; a != NULL; a = a->ai_next) {
		size_t used = strlen(ret_text);

		if (getnameinfo(a->ai_addr, a->ai_addrlen, ip, sizeof(ip), NULL,
			0, NI_NUMERICHOST) != 0 ||
		    used + sizeof(ip) + 3 >= ADDRESSES_SIZE)
			continue;
		(void)snprintf(ret_text + used, ADDRESSES_SIZE - used,
		    a->ai_family == AF_INET6 ? "%c[%s]" : "%c%s", separator,
		    ip);
		separator = ',';
	}
	freeaddrinfo(addresses);
	return separator == ',';
}

/* Fetch the policy's text. Returns 0, or -EPROTO with ret_error. */
static int
fetch(const struct search *search, char *text, size_t size, size_t *ret_length,
    char ret_error[STSFETCH_FAILURE_SIZE])
{
	char host[DNS_NAME_SIZE + 16], url[DNS_NAME_SIZE + 64];
	char addresses[ADDRESSES_SIZE];
	const struct deliver_settings *settings = search->settings;
	int bound_sec = settings->remote_timeout_sec < FETCH_SEC
	    ? settings->remote_timeout_sec
	    : FETCH_SEC;
	struct https_request request = {
		.url = url,
		.host = host,
		.address = addresses,
		.ca_file = settings->tls_ca_file,
		.media_type = "text/plain",
		.timeout_ms = bound_sec * 1000,
	};
	const struct https_functions *functions;

	(void)snprintf(host, sizeof(host), "mta-sts.%s", search->domain);
	(void)snprintf(url, sizeof(url), "https://%s/.well-known/mta-sts.txt",
	    host);
	(void)strlcpy(ret_error, "its host has no address",
	    STSFETCH_FAILURE_SIZE);
	if (!find_addresses(host, settings, addresses, ret_error))
		return -EPROTO;
	functions = module_load(HTTPS_MODULE, "https_functions", ret_error,
	    STSFETCH_FAILURE_SIZE);
	if (functions == NULL)
		return -EPROTO;
	return functions->get(&request, text, size, ret_length, ret_error,
	    STSFETCH_FAILURE_SIZE);
}

/* Fetch and parse the policy. Returns whether there is one: it is unknown if it
 * cannot be fetched, and absent if the host serves something else. */
static bool
fetch_policy(const struct search *search, const char *id, struct kept *kept,
    struct stsfetch_answer *answer)
{
	static char text[STS_TEXT_MAX];
	size_t length = 0;

	if (fetch(search, text, sizeof(text), &length, answer->failure) < 0) {
		answer->policy.is_unknown = true;
		return false;
	}
	answer->failure[0] = '\0';
	if (sts_parse_policy(text, length, &answer->policy) < 0) {
		(void)strlcpy(answer->failure,
		    "the document is no policy (RFC 8461)",
		    sizeof(answer->failure));
		answer->policy = (struct sts_policy){ .mode = STS_NONE };
		return false;
	}
	memcpy(kept->text, text, length);
	kept->length = length;
	kept->fetched_real_sec = clock_real_ms() / 1000;
	(void)strlcpy(kept->id, id, sizeof(kept->id));
	*kept->missed_id = '\0';
	return true;
}

/* Find the id of the domain's current policy. */
static enum dns_answer
find_id(const char *domain, char ret_id[STS_ID_SIZE])
{
	char name[DNS_NAME_SIZE], text[DNS_TEXT_SIZE];
	enum dns_answer result;

	if (snprintf(name, sizeof(name), "_mta-sts.%s", domain) >=
	    (int)sizeof(name))
		return DNS_NO_DATA;
	result = dns_find_text(name, "v=STSv1", text);
	if (result == DNS_FOUND && sts_parse_record(text, ret_id) < 0)
		return DNS_NO_DATA;
	return result;
}

/* Whether fetching the policy of that id has failed lately. */
static bool
was_missed(const struct kept *kept, const char *id)
{
	return strcmp(id, kept->missed_id) == 0 &&
	    clock_real_ms() < 1000 * kept->missed_real_sec + MISSED_MS;
}

/* Fetch the policy of that id, and keep it, or that it failed. Returns whether
 * there is a policy. */
static bool
renew(const struct search *search, const char *id, struct kept *kept,
    struct stsfetch_answer *answer)
{
	bool has_policy = fetch_policy(search, id, kept, answer);

	if (!has_policy) {
		(void)strlcpy(kept->missed_id, id, sizeof(kept->missed_id));
		kept->missed_real_sec = clock_real_ms() / 1000;
	}
	write_kept(search, kept);
	return has_policy;
}

static void
find_policy(const struct search *search, struct stsfetch_answer *ret_answer)
{
	static struct kept kept;
	char id[STS_ID_SIZE];
	enum dns_answer result = find_id(search->domain, id);

	*ret_answer = (struct stsfetch_answer){ .is_kept = false };
	read_kept(search, &kept);
	if (result == DNS_FOUND && strcmp(id, kept.id) != 0) {
		if (was_missed(&kept, id))
			ret_answer->policy.is_unknown = true;
		else if (renew(search, id, &kept, ret_answer))
			return;
	}
	ret_answer->is_kept = *kept.id != '\0';
	if (ret_answer->is_kept)
		ret_answer->policy = kept.policy;
	else if (result == DNS_TROUBLE)
		ret_answer->policy.is_unknown = true;
}

/* ---- the process --------------------------------------------------------- */

_Noreturn void
stsfetch_serve(const struct stsfetch *stsfetch,
    const struct deliver_settings *settings, pid_t worker)
{
	static struct stsfetch_answer answer;
	const struct search search = {
		.domain = stsfetch->domain,
		.settings = settings,
		.place = &stsfetch->place,
	};
	int kept[2] = { stsfetch->fd, stsfetch->place.folder_fd };
	char octet;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != worker)
		_exit(0);
	/* The worker's descriptors stay with the worker. */
	sandbox_keep_only(kept, kept[1] >= 0 ? 2 : 1);
	sandbox_enter_stsfetch(settings, stsfetch->place.folder_fd);
	if (recv(stsfetch->fd, &octet, 1, 0) == 1) {
		dns_start();
		find_policy(&search, &answer);
		(void)send(stsfetch->fd, &answer, sizeof(answer), MSG_NOSIGNAL);
	}
	_exit(0);
}

void
stsfetch_prepare(struct stsfetch *stsfetch, struct spool *spool,
    const char *destination)
{
	char ip[46];

	*stsfetch = (struct stsfetch){ .fd = -1 };
	stsfetch->place.folder_fd = -1;
	/* An address literal has no domain, and a domain that cannot be written
	 * for the DNS has no hosts. */
	if (destination == NULL || address_literal_ip(destination, ip) == 0 ||
	    idna_to_ascii(destination, stsfetch->domain) < 0)
		stsfetch->domain[0] = '\0';
	else if (spool != NULL)
		stsfetch->error = cache_open(spool, CACHE_POLICY,
		    stsfetch->domain, &stsfetch->place);
}

bool
stsfetch_fork(struct stsfetch *stsfetch)
{
	int fds[2];

	if (stsfetch->domain[0] == '\0' || stsfetch->error < 0)
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1) {
		stsfetch->error = -errno;
		return false;
	}
	if (fork() == 0) {
		close(fds[0]);
		stsfetch->fd = fds[1];
		return true;
	}
	/* If fork(2) has failed this ends the socket, as a death would. */
	close(fds[1]);
	if (stsfetch->place.folder_fd >= 0)
		close(stsfetch->place.folder_fd);
	stsfetch->place.folder_fd = -1;
	stsfetch->fd = fds[0];
	return false;
}

/* The answer comes from a process that talks to remote hosts: check it. */
static bool
is_valid(const struct stsfetch_answer *answer)
{
	const struct sts_policy *policy = &answer->policy;

	if (memchr(answer->failure, '\0', sizeof(answer->failure)) == NULL ||
	    policy->mode < STS_NONE || policy->mode > STS_ENFORCE ||
	    policy->mx_count > STS_MX_MAX)
		return false;
	for (size_t i = 0; i < policy->mx_count; i++)
		if (memchr(policy->mx[i], '\0', DNS_NAME_SIZE) == NULL)
			return false;
	return true;
}

int
stsfetch_ask(struct stsfetch *stsfetch)
{
	struct pollfd pfd = { .fd = stsfetch->fd, .events = POLLIN };
	struct stsfetch_answer *answer = &stsfetch->answer;

	stsfetch->is_asked = true;
	if (stsfetch->fd < 0)
		return stsfetch->error;
	if (send(stsfetch->fd, "", 1, MSG_NOSIGNAL) != 1 ||
	    poll(&pfd, 1, ANSWER_SEC * 1000) != 1 ||
	    recv(stsfetch->fd, answer, sizeof(*answer), 0) != sizeof(*answer) ||
	    !is_valid(answer)) {
		*answer = (struct stsfetch_answer){ .is_kept = false };
		stsfetch->error = -EIO;
	}
	close(stsfetch->fd);
	stsfetch->fd = -1;
	return stsfetch->error;
}
