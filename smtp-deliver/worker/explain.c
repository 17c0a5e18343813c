/* SPDX-License-Identifier: ISC */

/*
 * explain.c - smtp-deliver --explain: the way of a worker, with nothing to
 * send, in words.
 *
 * For each address its route; for each host, as far as a worker would go, what
 * is asked of it and whether it can be used. Who adds a policy adds it to the
 * table of what is asked, and whatever finds it to find_trust().
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/sandbox.h"
#include "smtp-deliver/client/client.h"
#include "smtp-deliver/client/connect.h"
#include "smtp-deliver/worker/explain.h"
#include "smtp-deliver/policy/stsfetch.h"
#include "smtp-deliver/policy/requiretls.h"
#include "smtp-deliver/route/route.h"
#include "smtp-deliver/policy/trust.h"
#include "smtp-deliver/sandbox.h"

#define LINE_SIZE 2048

/* What a level asks of a host. */
static const char *const asked[] = {
	[LEVEL_NONE] = "no TLS",
	[LEVEL_VERIFY] =
	    "TLS if the host offers it, and then its certificate must verify",
	[LEVEL_STS] = "TLS, and its certificate must verify",
	[LEVEL_DANE] = "TLS with a certificate that its TLSA records match",
};

static const char *const modes[] = {
	[STS_NONE] = "none",
	[STS_TESTING] = "testing",
	[STS_ENFORCE] = "enforce",
};

/* The MTA-STS policy of a domain. */
struct published {
	struct stsfetch stsfetch;
	bool is_asked_for;
	int error;
	struct stsfetch_answer answer;
};

/* What is known of all addresses. */
struct plan {
	const char *sender; /* or NULL */
	struct spool *spool;
	const struct deliver_settings *settings;
	const struct rules *rules;
	struct credentials *credentials; /* NULL: nobody is told */
};

/* A host while it is explained. */
struct sight {
	const struct deliver_settings *settings;
	const struct route *route;
	struct published *published;
	size_t number;
	const struct credential *credential; /* who we are for it, or NULL */
	struct trust trust;
	bool is_usable;
};

/* Print a line. Hosts have a say in it, so it is to be nothing but a line. */
__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *p = line; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	(void)puts(line);
	(void)fflush(stdout);
}

static void
say_verdict(const char *what, const struct verdict *verdict)
{
	say("    %s%s%s: %s %s%s%s", what, *verdict->host != '\0' ? " " : "",
	    verdict->host, verdict->status, verdict->reason,
	    *verdict->reply != '\0' ? ": " : "", verdict->reply);
}

/* ---- the policy of its domain ---- */

static void
say_policy(const struct published *published)
{
	const struct stsfetch_answer *answer = &published->answer;
	const struct sts_policy *policy = &answer->policy;

	if (published->error < 0)
		say("    MTA-STS policy: there is no knowing: %s",
		    strerror(-published->error));
	if (answer->failure[0] != '\0')
		say("    MTA-STS policy: cannot be fetched: %s",
		    answer->failure);
	if (published->error < 0 || published->stsfetch.domain[0] == '\0')
		return;
	say("    MTA-STS policy of %s: %s%s", published->stsfetch.domain,
	    policy->is_unknown ? "unknown" : modes[policy->mode],
	    policy->mx_count == 0      ? ""
		: answer->is_kept != 0 ? ", kept from before"
				       : ", fetched now");
	for (size_t i = 0; i < policy->mx_count; i++)
		say("      mx: %s", policy->mx[i]);
}

/* Returns whether it is known. */
static bool
ask_for_policy(struct published *published)
{
	if (!published->is_asked_for) {
		published->is_asked_for = true;
		published->error =
		    stsfetch_ask(&published->stsfetch, &published->answer);
		say_policy(published);
	}
	return published->error == 0;
}

/* Apply it to a host. Returns whether that can be used. */
static bool
apply_policy(struct sight *sight)
{
	const struct sts_policy *policy = &sight->published->answer.policy;
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	if (!route_has_policy(sight->route) || sight->trust.level > LEVEL_STS)
		return true;
	if (!ask_for_policy(sight->published))
		return false;
	if (trust_apply_sts(&sight->trust, policy, &verdict) == 0) {
		if (policy->mode != STS_NONE)
			say("    the MTA-STS policy names this host");
		return true;
	}
	say_verdict(sight->trust.is_tested ? "only tested:" : "not used",
	    &verdict);
	return sight->trust.is_tested;
}

/* ---- a host ---- */

static void
say_addresses(const struct connect *connect)
{
	for (size_t i = 0; i < connect->count; i++) {
		const struct addrinfo *address = connect->attempts[i].address;
		char ip[INET6_ADDRSTRLEN + 16] = "?";

		(void)getnameinfo(address->ai_addr, address->ai_addrlen, ip,
		    sizeof(ip), NULL, 0, NI_NUMERICHOST);
		say("    address %s", ip);
	}
}

static void
see_passed_over(void *context, const struct addrinfo *address,
    const char *reason, bool is_over)
{
	const struct sight *sight = context;
	struct verdict verdict;

	(void)is_over;
	client_set_unconnected(&sight->trust, address, reason, &verdict);
	say_verdict("not used", &verdict);
}

static void
say_client(const struct client *client)
{
	const struct dialogue *dialogue = &client->dialogue;
	const struct client_offers *offers = &client->offers;
	char size[32] = "";

	if (offers->has_size)
		(void)snprintf(size, sizeof(size), " SIZE %" PRIu64,
		    offers->size_max);
	say("    connected to %s", dialogue->host);
	if (*dialogue->tls != '\0')
		say("    TLS: %s, policy %s, certificate %s", dialogue->tls,
		    dialogue->policy, dialogue->fingerprint);
	else
		say("    no TLS: the host does not offer it");
	say("    offers:%s%s%s%s%s%s",
	    offers->has_pipelining ? " PIPELINING" : "",
	    offers->has_8bitmime ? " 8BITMIME" : "",
	    offers->has_smtputf8 ? " SMTPUTF8" : "",
	    offers->has_dsn ? " DSN" : "",
	    offers->has_requiretls ? " REQUIRETLS" : "", size);
}

/* Whether a message with REQUIRETLS could go there. */
static void
say_requiretls(const struct sight *sight, const struct client *client)
{
	const struct route_host *host = &sight->route->hosts[sight->number];
	const struct sts_policy *policy = NULL;
	struct verdict verdict;

	if (route_has_policy(sight->route) && !host->is_name_secure &&
	    ask_for_policy(sight->published))
		policy = &sight->published->answer.policy;
	if (requiretls_check_client(client, &verdict) == 0 &&
	    requiretls_check_name(host, policy, &verdict) == 0)
		say("    REQUIRETLS: usable");
	else
		say("    REQUIRETLS: not usable: %s %s", verdict.status,
		    verdict.reason);
}

/* Try its addresses, as a worker would. */
static void
meet_host(struct sight *sight, struct connect *connect)
{
	const struct addrinfo *address;
	struct client *client;
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	int fd;

	while (!sight->is_usable &&
	    (fd = connect_next(connect, see_passed_over, sight, &address)) >=
		0) {
		if (client_open(&sight->trust, fd, address, sight->credential,
			NULL, sight->settings, &client, &verdict) < 0) {
			say_verdict("not used", &verdict);
			continue;
		}
		say_client(client);
		if (sight->trust.is_tested && *client->dialogue.tls == '\0')
			say("    only tested: the MTA-STS policy of the domain "
			    "asks for TLS");
		if (sight->credential != NULL)
			say("    authenticated by line %u of SMTP_AUTH_FILE",
			    sight->credential->line);
		say_requiretls(sight, client);
		client_quit(client);
		sight->is_usable = true;
	}
}

/* Find what is published for the host. */
static bool
find_published_trust(struct sight *sight)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	const struct route_host *host = &sight->route->hosts[sight->number];

	if (trust_find(host->domain, host->name, host->port, &sight->trust,
		&verdict) < 0) {
		say_verdict("not used", &verdict);
		return false;
	}
	sight->trust.is_tls_first = host->is_tls_first;
	return apply_policy(sight);
}

/* What is asked of the host, or that nobody can know. */
static bool
find_trust(struct sight *sight)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	const struct route *route = sight->route;
	const struct trust *trust = &sight->trust;

	if (route->has_level && route->level == LEVEL_NONE)
		trust_set_default(route->hosts[sight->number].name,
		    &sight->trust);
	else if (!find_published_trust(sight))
		return false;
	if (route->has_level &&
	    trust_require(&sight->trust, route->level, &verdict) < 0) {
		say_verdict("not used", &verdict);
		return false;
	}
	say("    policy %s: %s", level_name(trust->level),
	    asked[trust->level == LEVEL_VERIFY && trust->is_tls_required
		    ? LEVEL_STS
		    : trust->level]);
	return true;
}

static void
explain_host(struct sight *sight)
{
	const struct route *route = sight->route;
	const struct route_host *host = &route->hosts[sight->number];
	struct connect connect;

	if (route->has_mx)
		say("  host %s, preference %u", host->name, host->preference);
	else if (route->is_relayed)
		say("  host %s, port %d", host->name, host->port);
	else
		say("  host %s", host->name);
	if (route->answers[sight->number] != DNS_FOUND) {
		say("    %s",
		    route->answers[sight->number] == DNS_TROUBLE
			? "the DNS gave no answer about its addresses"
			: "has no address");
		return;
	}
	connect_begin(route->addresses[sight->number], sight->settings,
	    &connect);
	say_addresses(&connect);
	if (connect.count == 0)
		say("    has no address that SMTP_IP_FAMILY allows");
	else if (find_trust(sight))
		meet_host(sight, &connect);
	say("    %s", sight->is_usable ? "usable" : "not usable");
}

/* ---- an address ---- */

/* Who we are for a host, if it is a relay. */
static const struct credential *
find_credential(const struct route *route, size_t number,
    const struct credentials *credentials)
{
	const struct route_host *host = &route->hosts[number];

	return route->is_relayed && credentials != NULL
	    ? credentials_find(credentials, host->name, host->port)
	    : NULL;
}

/* Returns whether a host can be used. All that might be are looked at. */
static bool
explain_hosts(struct route *route, struct published *published,
    const struct plan *plan)
{
	int count = 0;
	bool is_usable = false;

	for (size_t i = 0; i < route->host_count && route_look_up(route, i);
	     i++) {
		struct sight sight = {
			.settings = plan->settings,
			.credential =
			    find_credential(route, i, plan->credentials),
			.route = route,
			.published = published,
			.number = i,
		};

		if (route->answers[i] == DNS_FOUND ||
		    route->answers[i] == DNS_TROUBLE)
			count++;
		if (count > plan->settings->mx_hosts) {
			say("  more hosts are not tried: SMTP_MX_HOSTS is %d",
			    plan->settings->mx_hosts);
			return is_usable;
		}
		explain_host(&sight);
		is_usable = is_usable || sight.is_usable;
	}
	if (route->is_loop)
		say("  the next hosts are this one, or not better: mail would "
		    "loop");
	return is_usable;
}

/* Which rule it is that sends mail there. */
static void
say_rule(const struct rule *rule, const struct deliver_settings *settings)
{
	if (rule->line != 0)
		say("  rule: %s:%u: %s %s", settings->routes, rule->line,
		    rule->who, rule->nexthop);
	else if (settings->relayhost != NULL)
		say("  route: SMTP_RELAYHOST, %s", settings->relayhost);
}

/* Returns whether the text is an address. */
static bool
parse(const char *text, struct address *ret_address)
{
	char path[ADDRESS_PATH_MAX + 1];
	size_t used;

	return snprintf(path, sizeof(path), "<%s>", text) < (int)sizeof(path) &&
	    address_parse_path(path, ADDRESS_UTF8, ret_address, &used) == 0 &&
	    path[used] == '\0';
}

/* The name is one that nexthop_format() writes. */
static bool
explain_destination(const char *destination, struct published *published,
    const struct plan *plan)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	struct route route;

	if (route_find(destination, plan->settings, &route, &verdict) < 0) {
		say("  no route: %s %s", verdict.status, verdict.reason);
		return false;
	}
	if (route.is_literal)
		say("  route: the address itself");
	else if (!route.is_relayed)
		say("  route: %s %s",
		    route.has_mx ? "MX hosts of" : "no MX, so the host",
		    route.hosts[0].domain);
	return explain_hosts(&route, published, plan);
}

/* Do what a worker does before its wall closes, and close it. */
static void
become_worker(struct published *published, const char *destination,
    const struct plan *plan, pid_t parent)
{
	struct nexthop nexthop = { .is_relayed = false };
	bool has_nexthop = nexthop_parse_name(destination, &nexthop) == 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	if (!nexthop.is_relayed)
		credentials_close(plan->credentials);
	stsfetch_prepare(&published->stsfetch, plan->spool,
	    has_nexthop ? nexthop_policy_domain(&nexthop) : NULL);
	sandbox_keep_only(&published->stsfetch.place.folder_fd,
	    published->stsfetch.place.folder_fd >= 0);
	stsfetch_start(&published->stsfetch, plan->settings, NULL, NULL);
	sandbox_enter_worker(plan->settings, plan->rules);
	dns_start();
}

/* In a process of its own, as a worker is: behind its wall there is no fetcher
 * for the next one. */
static bool
explain_address(const char *text, const struct plan *plan)
{
	static struct published published;
	struct address address;
	const struct rule *rule;
	char destination[NEXTHOP_SIZE];
	pid_t parent = getpid(), pid;
	int status;

	say("%s", text);
	if (!parse(text, &address)) {
		say("  not an address");
		return false;
	}
	rule = rules_find(plan->rules, plan->sender, address.text);
	rules_name_destination(rule, address.text, destination);
	say_rule(rule, plan->settings);
	if ((pid = fork()) == 0) {
		become_worker(&published, destination, plan, parent);
		_exit(
		    explain_destination(destination, &published, plan) ? 0 : 1);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid ||
	    !WIFEXITED(status)) {
		say("  the process that looks ended before its time");
		return false;
	}
	return WEXITSTATUS(status) == 0;
}

bool
explain_addresses(char *const addresses[], const char *sender,
    struct spool *spool, const struct deliver_settings *settings,
    const struct rules *rules, struct credentials *credentials)
{
	const struct plan plan = { sender, spool, settings, rules,
		credentials };
	bool is_good = true;

	for (; *addresses != NULL; addresses++)
		is_good = explain_address(*addresses, &plan) && is_good;
	return is_good;
}
