/* SPDX-License-Identifier: ISC */

/*
 * explain.c - smtp-deliver --explain: what delivery would do, in words.
 *
 * Prints the route of each address; and for each host that a worker would try,
 * what is required of it and whether it can be used. Decides nothing: route.c,
 * requirement.c and client.c do, here and in a worker.
 */

#include "config.h"

#include <sys/wait.h>

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/text.h"
#include "smtp-deliver/client/client.h"
#include "smtp-deliver/client/connect.h"
#include "smtp-deliver/worker/explain.h"
#include "smtp-deliver/route/nexthop.h"
#include "smtp-deliver/route/route.h"
#include "smtp-deliver/worker/process.h"
#include "smtp-deliver/worker/requirement.h"

#define LINE_SIZE 2048

/* What a level requires of a host. */
static const char *const required[] = {
	[LEVEL_NONE] = "no TLS",
	[LEVEL_MAY] = "TLS if the host offers it, with any certificate",
	[LEVEL_ENCRYPT] = "TLS, with any certificate",
	[LEVEL_FINGERPRINT] = "TLS with a certificate of that fingerprint",
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

/* What all addresses have in common. */
struct plan {
	const char *sender; /* or NULL */
	const struct worker_config *config;
};

/* A host that is explained. */
struct sight {
	const struct deliver_settings *settings;
	const struct route *route;
	struct requirements *requirements;
	size_t number; /* of the route's hosts */
	struct requirement requirement;
	bool is_usable;
};

/* Print a line. Some of it comes from hosts and is made printable. */
__attribute__((format(printf, 1, 2))) static void
print_line(const char *format, ...)
{
	char line[LINE_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_make_printable(line);
	(void)puts(line);
	(void)fflush(stdout);
}

static void
print_verdict(const char *what, const struct verdict *verdict)
{
	print_line("    %s%s%s: %s %s%s%s", what,
	    *verdict->host != '\0' ? " " : "", verdict->host, verdict->status,
	    verdict->reason, *verdict->reply != '\0' ? ": " : "",
	    verdict->reply);
}

/* ---- what is required of a host ------------------------------------------ */

/* Print what was found out about the domain's policy, or NULL. */
static void
print_policy(const struct stsfetch *found)
{
	const struct stsfetch_answer *answer;
	const struct sts_policy *policy;
	const char *source = "";

	if (found == NULL)
		return;
	answer = &found->answer;
	policy = &answer->policy;
	if (found->error < 0)
		print_line("    MTA-STS policy: cannot be determined: %s",
		    strerror(-found->error));
	if (answer->failure[0] != '\0')
		print_line("    MTA-STS policy: cannot be fetched: %s",
		    answer->failure);
	if (found->error < 0 || found->domain[0] == '\0')
		return;
	if (policy->mx_count > 0)
		source = answer->is_kept != 0 ? ", kept from before"
					      : ", fetched now";
	print_line("    MTA-STS policy of %s: %s%s", found->domain,
	    policy->is_unknown ? "unknown" : modes[policy->mode], source);
	for (size_t i = 0; i < policy->mx_count; i++)
		print_line("      mx: %s", policy->mx[i]);
}

/* Returns whether the host may be used. */
static bool
explain_requirement(struct sight *sight)
{
	const struct requirement *requirement = &sight->requirement;
	const struct trust *trust = &requirement->trust;
	enum level level;

	requirements_find(sight->requirements,
	    &sight->route->hosts[sight->number], false, &sight->requirement);
	print_policy(requirements_take_policy(sight->requirements));
	if (requirement->is_named)
		print_line("    the MTA-STS policy names this host");
	if (requirement->is_test_failed)
		print_verdict("only tested:", &requirement->tested);
	if (requirement->result != REQUIREMENT_USABLE) {
		print_verdict("not used", &requirement->verdict);
		return false;
	}
	level = trust->level == LEVEL_VERIFY && trust->is_tls_required
	    ? LEVEL_STS
	    : trust->level;
	print_line("    policy %s: %s", level_name(trust->level),
	    required[level]);
	return true;
}

/* ---- a host -------------------------------------------------------------- */

static void
print_addresses(const struct connect *connect)
{
	for (size_t i = 0; i < connect->count; i++) {
		const struct addrinfo *address = connect->attempts[i].address;
		char ip[INET6_ADDRSTRLEN + 16] = "?";

		(void)getnameinfo(address->ai_addr, address->ai_addrlen, ip,
		    sizeof(ip), NULL, 0, NI_NUMERICHOST);
		print_line("    address %s", ip);
	}
}

static void
print_client(const struct client *client)
{
	const struct dialogue *dialogue = &client->dialogue;
	const struct client_offers *offers = &client->offers;
	char size[32] = "";

	if (offers->has_size)
		(void)snprintf(size, sizeof(size), " SIZE %" PRIu64,
		    offers->size_max);
	print_line("    connected to %s", dialogue->host);
	if (*dialogue->tls != '\0')
		print_line("    TLS: %s, policy %s, certificate %s",
		    dialogue->tls, dialogue->policy, dialogue->fingerprint);
	else
		print_line("    no TLS: the host does not offer it");
	print_line("    offers:%s%s%s%s%s%s",
	    offers->has_pipelining ? " PIPELINING" : "",
	    offers->has_8bitmime ? " 8BITMIME" : "",
	    offers->has_smtputf8 ? " SMTPUTF8" : "",
	    offers->has_dsn ? " DSN" : "",
	    offers->has_requiretls ? " REQUIRETLS" : "", size);
}

/* Print whether a message with REQUIRETLS could go there. */
static void
print_requiretls(const struct sight *sight, const struct client *client)
{
	const struct route_host *host = &sight->route->hosts[sight->number];
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	enum requiretls met = requirements_check_client(client, &verdict);

	if (met == REQUIRETLS_MET)
		met = requirements_check_name(sight->requirements, host,
		    &verdict);
	print_policy(requirements_take_policy(sight->requirements));
	if (met == REQUIRETLS_MET)
		print_line("    REQUIRETLS: usable");
	else
		print_line("    REQUIRETLS: not usable: %s %s", verdict.status,
		    verdict.reason);
}

/* Explain a host that a connection leads to. */
static void
explain_client(const struct sight *sight, const struct client *client)
{
	const struct credential *credential = sight->requirement.credential;

	print_client(client);
	if (sight->requirement.trust.is_tested && !client_is_secure(client))
		print_line("    only tested: the MTA-STS policy of the domain "
			   "requires TLS");
	if (credential != NULL)
		print_line("    authenticated by line %u of SMTP_AUTH_FILE",
		    credential->line);
	print_requiretls(sight, client);
}

/* Try the host's addresses as a worker would, up to one that can be used. */
static void
try_addresses(struct sight *sight, struct connect *connect)
{
	const struct requirement *requirement = &sight->requirement;
	struct connect_event event;
	struct client *client = NULL;
	struct verdict verdict = { .outcome = OUTCOME_NONE };

	while (!sight->is_usable && connect_next(connect, &event)) {
		if (event.kind != CONNECT_EVENT_OPEN)
			client_set_unconnected(&requirement->trust,
			    event.address, event.reason, &verdict);
		else if (client_open(&requirement->trust, event.fd,
			     event.address, requirement->credential, NULL,
			     sight->settings, &client, &verdict) == CLIENT_OPEN)
			sight->is_usable = true;
		if (!sight->is_usable)
			print_verdict("not used", &verdict);
	}
	if (client == NULL)
		return;
	explain_client(sight, client);
	client_quit(client);
}

static void
explain_host(struct sight *sight)
{
	const struct route *route = sight->route;
	const struct route_host *host = &route->hosts[sight->number];
	struct connect connect;

	if (route->has_mx)
		print_line("  host %s, preference %u", host->name,
		    host->preference);
	else if (route->is_relayed)
		print_line("  host %s, port %d", host->name, host->port);
	else
		print_line("  host %s", host->name);
	if (route->answers[sight->number] != DNS_FOUND) {
		if (route->answers[sight->number] == DNS_TROUBLE)
			print_line("    the DNS did not answer for its "
				   "addresses");
		else
			print_line("    has no address%s%s",
			    *route->refused != '\0' ? " that mail may go to: "
						    : "",
			    route->refused);
		return;
	}
	connect_begin(route->addresses[sight->number], sight->settings,
	    &connect);
	print_addresses(&connect);
	if (connect.count == 0)
		print_line("    has no address that SMTP_IP_FAMILY allows");
	else if (explain_requirement(sight))
		try_addresses(sight, &connect);
	print_line("    %s", sight->is_usable ? "usable" : "not usable");
}

/* ---- an address ---------------------------------------------------------- */

/* Returns whether a host can be used. Explains all that a worker might try. */
static bool
explain_hosts(struct route *route, struct requirements *requirements,
    const struct deliver_settings *settings)
{
	int count = 0;
	bool is_usable = false;

	for (size_t i = 0;
	     i < route->host_count && route_look_up(route, i, settings); i++) {
		struct sight sight = {
			.settings = settings,
			.route = route,
			.requirements = requirements,
			.number = i,
		};

		if (route->answers[i] == DNS_FOUND ||
		    route->answers[i] == DNS_TROUBLE)
			count++;
		if (count > settings->mx_hosts) {
			print_line("  more hosts are not tried: SMTP_MX_HOSTS "
				   "is %d",
			    settings->mx_hosts);
			return is_usable;
		}
		explain_host(&sight);
		is_usable = is_usable || sight.is_usable;
	}
	if (route->is_loop)
		print_line("  the next hosts are this one, or no better: mail "
			   "would loop");
	return is_usable;
}

/* Print the rule that decides on the next hop. */
static void
print_rule(const struct rule *rule, const struct deliver_settings *settings)
{
	if (rule->line != 0)
		print_line("  rule: %s:%u: %s %s", settings->routes, rule->line,
		    rule->who, rule->nexthop);
	else if (settings->relayhost != NULL)
		print_line("  route: SMTP_RELAYHOST, %s", settings->relayhost);
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

/* Returns whether a host can be used.
 *
 * destination	as nexthop_format() writes it.
 */
static bool
explain_destination(const char *destination, struct stsfetch *stsfetch,
    const struct worker_config *config)
{
	struct verdict verdict = { .outcome = OUTCOME_NONE };
	static struct route route; /* too large for the stack */
	struct requirements requirements = {
		.route = &route,
		.stsfetch = stsfetch,
		.credentials = config->credentials,
	};

	if (!route_find(destination, config->settings, &route, &verdict)) {
		print_line("  no route: %s %s", verdict.status, verdict.reason);
		return false;
	}
	if (route.is_literal)
		print_line("  route: the address itself");
	else if (!route.is_relayed)
		print_line("  route: %s %s",
		    route.has_mx ? "MX hosts of" : "no MX, so the host",
		    route.hosts[0].domain);
	return explain_hosts(&route, &requirements, config->settings);
}

/* In a process of its own, as a worker has: once in the sandbox it cannot fork
 * what finds the policies of the next address. */
static bool
explain_address(const char *text, const struct plan *plan)
{
	const struct worker_config *config = plan->config;
	static struct stsfetch stsfetch;
	struct address address;
	const struct rule *rule;
	char destination[NEXTHOP_SIZE];
	pid_t parent = getpid(), pid;
	int status;

	print_line("%s", text);
	if (!parse(text, &address)) {
		print_line("  not an address");
		return false;
	}
	rule = rules_find(config->rules, plan->sender, address.text);
	rules_name_destination(rule, address.text, destination);
	print_rule(rule, config->settings);
	if ((pid = fork()) == 0) {
		process_enter(config, destination, parent, -1, &stsfetch);
		_exit(explain_destination(destination, &stsfetch, config) ? 0
									  : 1);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid ||
	    !WIFEXITED(status)) {
		print_line("  the process that would explain it died");
		return false;
	}
	return WEXITSTATUS(status) == 0;
}

bool
explain_addresses(char *const addresses[], const char *sender,
    struct spool *spool, const struct deliver_settings *settings,
    const struct rules *rules, struct credentials *credentials)
{
	const struct worker_config config = {
		.settings = settings,
		.rules = rules,
		.spool = spool,
		.credentials = credentials,
	};
	const struct plan plan = { sender, &config };
	bool is_good = true;

	for (; *addresses != NULL; addresses++)
		is_good = explain_address(*addresses, &plan) && is_good;
	return is_good;
}
